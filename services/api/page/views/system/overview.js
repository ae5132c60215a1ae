/* What is looked at first: who works, how full Redis is, and what was wrong over the last day. */
import { html } from "../../lib/html.js";
import { Health } from "./health.js";
import { Stores } from "./stores.js";
import { Workers } from "./workers.js";

export const Overview = () => html`<div class="sys-overview">
  <${Workers} />
  <${Stores} />
  <${Health} />
</div>`;
