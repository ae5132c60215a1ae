/* Where events are delivered to: listed, tested, switched on and off, deleted. */
import { ask } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { html, useState } from "../../lib/html.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { Dialog, Empty, Question, Shown, Time, Trouble } from "../../lib/ui.js";
import { useAction, useAsked } from "../../lib/use.js";
import { Once } from "./once.js";
import { TargetForm } from "./target_form.js";

const EVERY_MS = 10_000;
const at = (id, rest = "") => `/v1/targets/${encodeURIComponent(id)}${rest}`;

export function Delivery() {
  const read = useAsked("/v1/targets", {}, EVERY_MS);
  const [shown, setShown] = useState(null); /* {kind: "add" | "made" | "delete" | "letters", target} */
  const close = () => setShown(null);
  const done = () => { close(); read.again(); };
  const made = (target) => { read.again(); setShown(target.kind === "webhook" ? { kind: "made", target } : null); };
  const target = shown?.target;
  return html`<section class="panel">
    <header><h2>${text("sysTargets")}</h2>
      <button type="button" class="main" onClick=${() => setShown({ kind: "add" })}>${text("sysAddTarget")}</button></header>
    <p class="faint sys-lead">${text("sysTargetsHint")}</p>
    <${Shown} of=${read}>${({ items }) => (items.length
      ? html`<div class="scroll"><table class="sys-targets sys-stack">
          <thead><tr>${["sysId", "sysKind", "sysUrl", "sysFilters", "sysState", "sysActions"].map((name) => html`<th scope="col">${text(name)}</th>`)}</tr></thead>
          <tbody>${items.map((each) => html`<${Row} key=${each.id} target=${each} again=${read.again} show=${(kind) => setShown({ kind, target: each })} />`)}</tbody>
        </table></div>`
      : html`<${Empty}>${text("sysNoTargets")}<//>`)}<//>
    ${shown?.kind === "add" && html`<${TargetForm} onClose=${close} onMade=${made} />`}
    ${shown?.kind === "made" && html`<${Once} title=${text("sysSecretTitle", target.id)} words=${text("sysSecretWords")} secret=${target.secret} onClose=${close} />`}
    ${shown?.kind === "letters" && html`<${DeadLetters} target=${target} onClose=${close} />`}
    ${shown?.kind === "delete" && html`<${Question} title=${text("sysDeleteTarget", target.id)} yes=${text("sysDelete")}
      act=${() => ask("DELETE", at(target.id))} onClose=${close} onDone=${done}><p>${text("sysDeleteTargetWords")}</p><//>`}
  </section>`;
}

function Row({ target, again, show }) {
  const testing = useTest(target.id);
  const turning = useAction(async () => { await ask("PATCH", at(target.id), { body: { enabled: !target.enabled } }); again(); });
  return html`<tr>
    <td class="mono">${target.id}</td>
    <td data-name=${text("sysKind")}>${text(`sysKind_${target.kind}`)}</td>
    <td data-name=${text("sysUrl")} class="mono">${target.url}</td>
    <td data-name=${text("sysFilters")}>${filtersOf(target)}</td>
    <td data-name=${text("sysState")}><span class=${target.enabled && !target.reason ? "good" : "warn"}>${text(target.enabled ? "sysEnabled" : "sysDisabled")}</span>
      ${target.reason && html`<p class="warn small">${target.reason}</p>`}</td>
    <td><div class="sys-actions">
      <button type="button" disabled=${testing.isRunning} onClick=${testing.run} aria-label=${`${text("sysTest")}: ${target.id}`}>${text(testing.isRunning ? "sysTesting" : "sysTest")}</button>
      <button type="button" disabled=${turning.isRunning} onClick=${turning.run}>${text(target.enabled ? "sysDisable" : "sysEnable")}</button>
      <button type="button" onClick=${() => show("letters")}>${text("sysLetters")}</button>
      <button type="button" class="danger" onClick=${() => show("delete")}>${text("sysDelete")}</button>
    </div>
    <div aria-live="polite">
      ${testing.result && (testing.result.ok ? html`<p class="good">${text("sysTestOk")}</p>` : html`<p class="bad">${text("sysTestFailed", testing.result.reason)}</p>`)}
      <${Trouble} problem=${testing.problem ?? turning.problem} />
    </div></td>
  </tr>`;
}

/* A test message, and what came of it. */
function useTest(id) {
  const [result, setResult] = useState(null);
  const acting = useAction(() => { setResult(null); return ask("POST", at(id, "/test")); });
  return { ...acting, result, run: async () => setResult((await acting.run()) ?? null) };
}

function filtersOf(target) {
  const parts = [["labels", "sysOfLabels"], ["groups", "sysOfGroups"], ["streams", "sysOfStreams"]]
    .filter(([name]) => target[name].length).map(([name, words]) => text(words, target[name].join(", ")));
  if (target.severity) parts.push(text(`sysSeverity_${target.severity}`));
  if (target.updates) parts.push(text("sysWithUpdates"));
  return parts.join("; ") || text("sysEverything");
}

/* What could not be delivered to a target, and why; it may be sent again. */
function DeadLetters({ target, onClose }) {
  const path = `/v1/targets/${encodeURIComponent(target.id)}/dead-letters`;
  const read = useAsked(path);
  const [said, setSaid] = useState(null);
  const sending = useAction(async (ids) => {
    const { replayed } = await ask("POST", `${path}/replay`, { body: ids ? { ids } : {} });
    setSaid(text("sysReplayed", numberOf(replayed)));
    read.again();
  }), isHeld = sending.isRunning || !target.enabled;
  return html`<${Dialog} title=${text("sysLettersOf", target.id)} onClose=${onClose}>
    <${Trouble} problem=${sending.problem} />
    ${!target.enabled && html`<p class="warn">${text("sysLettersOff")}</p>`}
    ${said && html`<p class="good" role="status">${said}</p>`}
    <${Shown} of=${read}>${({ items }) => (items.length ? html`
      <div class="bar"><button type="button" class="main" disabled=${isHeld} onClick=${() => sending.run(null)}>${text("sysReplayAll")}</button>
        <span class="faint">${numberOf(items.length)}</span></div>
      <div class="scroll sys-letters"><table>
        <thead><tr><th scope="col">${text("sysWhat")}</th><th scope="col">${text("sysReason")}</th><th scope="col">${text("sysActions")}</th></tr></thead>
        <tbody>${items.map((letter) => html`<tr key=${letter.id}>
          <td><${What} letter=${letter} /></td>
          <td>${letter.reason}</td>
          <td><button type="button" disabled=${isHeld} onClick=${() => sending.run([letter.id])}>${text("sysReplay")}</button></td>
        </tr>`)}</tbody>
      </table></div>` : html`<${Empty}>${text("sysLettersNone")}<//>`)}<//>
  <//>`;
}

function What({ letter }) {
  const event = parsed(letter.event);
  const words = [letter.kind, event?.label].filter(Boolean).join(" ");
  return html`<bdi>${letter.stream_id}</bdi> ${event?.id ? html`<a href=${to(["event", event.id])}>${words}</a>` : words}
    ${event?.started_at_ms && html`<br /><span class="faint small"><${Time} ms=${event.started_at_ms} /></span>`}`;
}

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
