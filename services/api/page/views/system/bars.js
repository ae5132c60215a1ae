/* Bars: how full something is, and how one figure compares with another. */
import { html } from "../../lib/html.js";

/* A share of 1 as a bar; `look` is "", "warn" or "bad", `words` say it to who does not see it. */
export const Bar = ({ share, words, look = "" }) => html`<span class=${`sys-bar ${look}`} role="img" aria-label=${words} title=${words}>
  <i style=${{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
</span>`;
