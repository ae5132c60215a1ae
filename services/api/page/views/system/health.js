/* What was wrong over the last day, and what is now: cameras away, streams in trouble, messages that were given up. */
import { html, useMemo } from "../../lib/html.js";
import { ask, may, pagesOf } from "../../lib/api.js";
import { durationOf, numberOf, present, timeOf } from "../../lib/clock.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useAsked, useRead } from "../../lib/use.js";
import { Shown } from "../../lib/ui.js";

const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS;
const MAX_EVENTS = 2000, MAX_ROWS = 10;
const SLOWLY_MS = 60_000, OFTEN_MS = 10_000;

export const Health = () => html`<section class="panel sys-wide">
  <header><h2>${text("sysHealth")}</h2></header>
  <div class="sys-health">
    <div><h3>${text("sysOfflineTitle")}</h3><${Away} /></div>
    <div><h3>${text("sysTroubleTitle")}</h3><${Trouble} /></div>
    ${may("admin") && html`<div><h3>${text("sysUndelivered")}</h3><${Undelivered} /></div>`}
  </div>
</section>`;

function Away() {
  const read = useRead(offlineEvents, [], SLOWLY_MS);
  return html`<${Shown} of=${read}>${({ events, since, isMore }) => (
    events.length ? html`<${AwayTable} events=${events} since=${since} isMore=${isMore} />` : html`<p class="good">${text("sysOfflineNone")}</p>`
  )}<//>`;
}

/* Those that lasted into the last day: what began the day before is looked at, too, and whoever is away now, since whenever. */
async function offlineEvents(abort) {
  const since = present() - DAY_MS, found = new Map();
  for (const which of [{ state: "open" }, { since_ms: since - DAY_MS }]) {
    for await (const items of pagesOf("/v1/events", { label: "offline", limit: 500, ...which }, abort)) {
      for (const event of items) if ((event.ended_at_ms ?? Infinity) >= since) found.set(event.id, event);
      if (found.size >= MAX_EVENTS) return { events: [...found.values()], since, isMore: true };
    }
  }
  return { events: [...found.values()], since, isMore: false };
}

function AwayTable({ events, since, isMore }) {
  const cameras = useMemo(() => byCamera(events, since), [events]);
  const words = isMore ? text("sysOfflineMore", numberOf(events.length)) : text("sysOfflineSome", numberOf(events.length), numberOf(cameras.length));
  return html`<p>${words}</p>
    <${Hours} events=${events} since=${since} />
    <div class="scroll"><table>
      <thead><tr><th scope="col">${text("sysCamera")}</th><th scope="col" class="number">${text("sysTimes")}</th><th scope="col" class="number">${text("sysAway")}</th></tr></thead>
      <tbody>${cameras.slice(0, MAX_ROWS).map((each) => html`<tr key=${each.id}>
        <td><a href=${to(["camera", each.id])}><bdi>${each.id}</bdi></a> ${each.isAway && html`<span class="tag bad">${text("sysStillAway")}</span>`}</td>
        <td class="number">${each.times}</td><td class="number">${durationOf(each.awayMs)}</td>
      </tr>`)}</tbody></table></div>`;
}

/* The longest away first, by what of it lies in the last day. */
function byCamera(events, since) {
  const found = new Map();
  for (const { stream_id: id, started_at_ms: from, ended_at_ms: until } of events) {
    const each = found.get(id) ?? { id, times: 0, awayMs: 0, isAway: false };
    each.times += 1;
    each.awayMs += Math.max(0, (until ?? present()) - Math.max(from, since));
    each.isAway ||= until === null;
    found.set(id, each);
  }
  return [...found.values()].sort((a, b) => b.awayMs - a.awayMs);
}

/* When it was: a bar an hour. */
function Hours({ events, since }) {
  const counts = Array(24).fill(0);
  for (const { started_at_ms: at } of events) if (at >= since) counts[Math.min(23, Math.floor((at - since) / HOUR_MS))] += 1;
  const most = Math.max(1, ...counts);
  return html`<ol class="sys-hours" aria-label=${text("sysHours")}>
    ${counts.map((count, hour) => {
      const words = text("sysHour", timeOf(since + hour * HOUR_MS), count);
      return html`<li title=${words}><i style=${{ height: `${(count / most) * 100}%` }} /><span class="sys-unseen">${words}</span></li>`;
    })}
  </ol>
  <p class="sys-ends faint small" aria-hidden="true"><span>${text("sysDayAgo")}</span><span>${text("sysNow")}</span></p>`;
}

function Trouble() {
  const read = useAsked("/v1/streams", { state: ["waiting", "failed"], limit: MAX_ROWS }, OFTEN_MS);
  return html`<${Shown} of=${read}>${({ items, next }) => (items.length ? html`<div class="scroll"><table class="sys-stack">
    <thead><tr><th scope="col">${text("sysCamera")}</th><th scope="col">${text("sysState")}</th><th scope="col">${text("sysReason")}</th></tr></thead>
    <tbody>${items.map((each) => html`<tr key=${each.id}>
      <td><a href=${to(["camera", each.id])}><bdi>${each.name}</bdi></a></td>
      <td class=${each.state === "failed" ? "bad" : "warn"}>${text(`sysState_${each.state}`)}</td>
      <td data-name=${text("sysReason")}>${each.reason ?? text("sysNoReason")}</td>
    </tr>`)}</tbody></table></div>
    ${next && html`<p><a href=${to(["wall"], { state: "waiting" })}>${text("sysMoreTrouble")}</a></p>`}`
    : html`<p class="good">${text("sysTroubleNone")}</p>`)}<//>`;
}

function Undelivered() {
  const read = useRead(async (abort) => {
    const { items } = await ask("GET", "/v1/targets", { abort });
    const letters = await Promise.all(items.map((each) => ask("GET", `/v1/targets/${each.id}/dead-letters`, { abort })));
    return items.map((each, at) => ({ id: each.id, num: letters[at].items.length })).filter((each) => each.num);
  }, [], SLOWLY_MS);
  return html`<${Shown} of=${read}>${(targets) => (targets.length
    ? targets.map((each) => html`<p class="warn" key=${each.id}><a href=${to(["system", "delivery"])}>${text("sysUndeliveredSome", numberOf(each.num), each.id)}</a></p>`)
    : html`<p class="good">${text("sysUndeliveredNone")}</p>`)}<//>`;
}
