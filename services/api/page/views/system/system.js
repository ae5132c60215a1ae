/* How the system stands: its parts as tabs, each with an address of its own. */
import { html } from "../../lib/html.js";
import { may, session } from "../../lib/api.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useAsked } from "../../lib/use.js";
import { Empty } from "../../lib/ui.js";
import "./words.js";
import { Delivery } from "./delivery.js";
import { Health } from "./health.js";
import { Keys } from "./keys.js";
import { Models } from "./models.js";
import { Stores } from "./stores.js";
import { Workers } from "./workers.js";

/* Who works, how full Redis is, and what was wrong over the last day. */
const Overview = () => html`<div class="sys-overview"><${Workers} /><${Stores} /><${Health} /></div>`;

/* Name in the address → [words, role that may, what it shows]. */
const TABS = {
  overview: ["sysOverview", "viewer", Overview],
  models: ["sysModels", "viewer", Models],
  delivery: ["sysDelivery", "admin", Delivery],
  keys: ["sysKeys", "admin", Keys],
};

export function System({ path }) {
  const name = path[0] ?? "overview";
  const [, role, Shown] = TABS[name] ?? [];
  const version = useAsked("/v1/version");
  return html`<div class="sys">
    <header class="bar">
      <h1>${text("system")}</h1>
      <nav class="sys-tabs grow" aria-label=${text("sysParts")}>
        ${Object.entries(TABS).filter(([, [, needs]]) => may(needs)).map(([tab, [words]]) => (
          html`<a href=${to(tab === "overview" ? ["system"] : ["system", tab])} aria-current=${tab === name ? "page" : undefined}>${text(words)}</a>`
        ))}
      </nav>
      ${version.data && html`<span class="faint small">${text("sysVersion", version.data.version)}</span>`}
    </header>
    ${!Shown ? html`<${Empty}>${text("notFound")}<//>`
      : may(role) ? html`<${Shown} path=${path.slice(1)} />`
      : html`<${Empty}>${text("sysAdminsOnly", session.value.role)}<//>`}
  </div>`;
}
