import { html } from "../../lib/html.js";
import { text } from "../../lib/strings.js";

export function AddCamera() {
  return html`<p class="empty">${text("nothing")}</p>`;
}
