/* Where everything is kept: Redis and its memory, streams by state, and the room of pictures and clips. */
import { html } from "../../lib/html.js";
import { may, session } from "../../lib/api.js";
import { bytesOf, numberOf } from "../../lib/clock.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useAsked } from "../../lib/use.js";
import { Shown } from "../../lib/ui.js";
import { Bar } from "./bars.js";

const EVERY_MS = 5000;
const FULL = 0.9, NEARLY = 0.75;
const STATES = ["live", "connecting", "waiting", "failed", "paused", "ended", "pending"];
const UNTOLD = "unknown";
const LOOKS = { waiting: "warn", failed: "bad" };

export function Stores() {
  const isTold = may("operator") && !session.value.groups.length;
  return html`<section class="panel">
    <header><h2>${text("sysStores")}</h2></header>
    ${isTold ? html`<${Told} />` : html`<p class="faint">${text("sysOperatorsOnly")}</p>`}
  </section>`;
}

function Told() {
  const read = useAsked("/v1/system", {}, EVERY_MS);
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
