/* How the system stands: its parts as tabs, each with an address of its own. */
import { may, session } from "../../lib/api.js";
import { bytesOf, durationOf, numberOf } from "../../lib/clock.js";
import { html } from "../../lib/html.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { Empty, Shown } from "../../lib/ui.js";
import { useAsked } from "../../lib/use.js";
import { Bar } from "./bars.js";
import { Delivery } from "./delivery.js";
import { Health } from "./health.js";
import { Keys } from "./keys.js";
import { Models } from "./models.js";
import "./words.js";

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

/* Who does the work, by role. A role that nobody has is said loudly, with what that means. */
const ROLES = ["ingest", "inference", "delivery", "recorder"];
const MAX_IN_STRIP = 64;
const EVERY_MS = 3000;

function Workers() {
  const read = useAsked("/v1/workers", {}, EVERY_MS);
  return html`<section class="panel sys-wide">
    <header><h2>${text("sysWorkers")}</h2></header>
    <${Shown} of=${read}>${({ items, num_partitions: count }) => {
      const of = (role) => items.filter((each) => each.role === role);
      return html`
      <div aria-live="polite">${ROLES.map((role) => html`<${Warning} role=${role} workers=${of(role)} count=${count} />`)}</div>
      <div class="sys-roles">${ROLES.map((role) => html`<${OfRole} role=${role} workers=${of(role)} count=${count} />`)}</div>`;
    }}<//>
  </section>`;
}

function Warning({ role, workers, count }) {
  const named = text(`sysRole_${role}`).toLowerCase();
  if (!workers.length) return html`<p class="sys-loud"><strong>${text("sysMissing", named)}</strong> ${text(`sysMeans_${role}`)}</p>`;
  const owned = new Set(workers.flatMap((each) => each.partitions)).size;
  return owned < count && html`<p class="sys-loud mild">${text("sysUnowned", count - owned, named, count)}</p>`;
}

const OfRole = ({ role, workers, count }) => html`<div class="sys-role">
  <h3>${text(`sysRole_${role}`)} <span class="faint">${text(`sysDoes_${role}`)}</span></h3>
  ${workers.length > 0 && html`<div class="scroll"><table>
    <thead><tr><th scope="col">${text("sysWorker")}</th><th scope="col">${text("sysPartitions")}</th>
      <th scope="col" class="number">${text("sysStreams")}</th><th scope="col" class="number">${text("sysHeard")}</th></tr></thead>
    <tbody>${workers.map((each) => html`<tr key=${each.id}>
      <td class="mono">${each.id}</td>
      <td><${Partitions} owned=${each.partitions} count=${count} /></td>
      <td class="number">${each.num_streams}</td>
      <td class="number">${text("ago", durationOf(each.silent_seconds * 1000))}</td>
    </tr>`)}</tbody></table></div>`}
</div>`;

/* The partitions as a strip, those that it owns filled, unless they are too many to be told apart. */
function Partitions({ owned, count }) {
  if (count > MAX_IN_STRIP) return html`<span class="small">${text("sysManyPartitions", owned.length, count)}</span>`;
  const mine = new Set(owned);
  const words = text("sysPartitionsOf", owned.length, owned.join(", ") || text("sysNoPartitions"), count);
  return html`<span class="sys-strip" role="img" aria-label=${words} title=${words}>
    ${Array.from({ length: count }, (_, number) => html`<i class=${mine.has(number) ? "on" : ""} />`)}
  </span> <span class="faint small">${owned.length}</span>`;
}

/* Where everything is kept: Redis and its memory, streams by state, and the room of pictures and clips. */
const STORES_EVERY_MS = 5000;
const FULL = 0.9, NEARLY = 0.75;
const STATES = ["live", "connecting", "waiting", "failed", "paused", "ended", "pending"];
const UNTOLD = "unknown";
const LOOKS = { waiting: "warn", failed: "bad" };

function Stores() {
  const isTold = may("operator") && !session.value.groups.length;
  return html`<section class="panel">
    <header><h2>${text("sysStores")}</h2></header>
    ${isTold ? html`<${Told} />` : html`<p class="faint">${text("sysOperatorsOnly")}</p>`}
  </section>`;
}

function Told() {
  const read = useAsked("/v1/system", {}, STORES_EVERY_MS);
  return html`<${Shown} of=${read}>${(system) => html`<div class="sys-stores">
    ${system.redis.map((server) => html`<${Server} key=${server.node} server=${server} isAlone=${system.redis.length === 1} />`)}
    <div><h3>${text("sysMedia")}</h3>
      <${Room} used=${system.media.used_bytes} limit=${system.media.limit_bytes} name=${text("sysMedia")} otherwise="sysMediaUnlimited" isCalm=${true} /></div>
    <div><h3>${text("sysRegistered")}</h3>
      <${Room} used=${system.num_streams} limit=${system.max_streams} name=${text("sysRegistered")} unit=${numberOf} />
      <p class="sys-states">${STATES.filter((state) => system.streams[state]).map((state) => html`
        <a href=${to(["wall"], { state })} class=${LOOKS[state] ?? ""}>${text(`sysState_${state}`)} ${numberOf(system.streams[state])}</a>`)}</p></div>
  </div>`}<//>`;
}

function Server({ server, isAlone }) {
  const share = server.limit_bytes ? server.used_bytes / server.limit_bytes : 0;
  return html`<div><h3>${isAlone ? text("sysMemory") : html`<span class="mono">${server.node}</span>`} <span class="faint small">${server.version}</span></h3>
    <${Room} used=${server.used_bytes} limit=${server.limit_bytes} name=${text("sysMemory")} otherwise="sysUsedAlone" />
    ${share > FULL && html`<p class="bad">${text("sysNearlyFull")}</p>`}
    <p class=${server.persists === "nothing" ? "warn" : "faint"}>${text(`sysPersists_${server.persists ?? UNTOLD}`)}</p>
    ${server.policy !== "noeviction" && server.limit_bytes && html`<p class="bad">${text("sysPolicy", server.policy)}</p>`}
    ${!server.is_writing_well && html`<p class="bad">${text("sysWritingBadly")}</p>`}</div>`;
}

/* What is used of what there may be. Calm: to be full is usual there. */
function Room({ used, limit, name, otherwise, unit = bytesOf, isCalm = false }) {
  const share = limit ? used / limit : 0;
  const words = limit ? text("sysUsedOf", unit(used), unit(limit), numberOf(share * 100, share < 0.1 ? 1 : 0)) : text(otherwise, unit(used));
  const look = isCalm ? "" : share > FULL ? "bad" : share > NEARLY ? "warn" : "";
  return html`<div class="sys-room">${limit && html`<${Bar} share=${share} look=${look} words=${`${name}: ${words}`} />`}<span>${words}</span></div>`;
}
