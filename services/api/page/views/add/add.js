/* Adding cameras: one by a form, or many that are pasted. */
import { html } from "../../lib/html.js";
import { may } from "../../lib/api.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { Empty } from "../../lib/ui.js";
import "./words.js";
import { Many } from "./many.js";
import { One } from "./one.js";

export function AddCamera({ path }) {
  if (!may("operator")) return html`<${Empty}>${text("addNotAllowed")}<//>`;
  const kind = path[0] === "many" ? "many" : "one";
  const places = [["one", ["add"], "addOne"], ["many", ["add", "many"], "addMany"]];
  return html`<div class=${`add-view ${kind}`}>
    <header class="bar">
      <h1 class="grow">${text("addTitle")}</h1>
      <nav class="add-kinds" aria-label=${text("addKinds")}>
        ${places.map(([name, place, words]) => html`<a class="button" href=${to(place)} aria-current=${kind === name ? "page" : undefined}>${text(words)}</a>`)}
      </nav>
    </header>
    ${kind === "many" ? html`<${Many} />` : html`<${One} />`}
  </div>`;
}
