/* Who does the work, by role. A role that nobody has is said loudly, with what that means. */
import { html } from "../../lib/html.js";
import { durationOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { useAsked } from "../../lib/use.js";
import { Shown } from "../../lib/ui.js";

const ROLES = ["ingest", "inference", "delivery", "recorder"];
const MAX_IN_STRIP = 64;
const EVERY_MS = 3000;

export function Workers() {
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
