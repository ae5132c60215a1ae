/* What could not be delivered to a target, and why; it may be sent again. */
import { html, useState } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useAction, useAsked } from "../../lib/use.js";
import { Dialog, Empty, Shown, Time, Trouble } from "../../lib/ui.js";

export function DeadLetters({ target, onClose }) {
  const path = `/v1/targets/${encodeURIComponent(target.id)}/dead-letters`;
  const read = useAsked(path);
  const [said, setSaid] = useState(null);
  const sending = useAction(async (ids) => {
    const { replayed } = await ask("POST", `${path}/replay`, { body: ids ? { ids } : {} });
    setSaid(text("sysReplayed", numberOf(replayed)));
    read.again();
  });
  return html`<${Dialog} title=${text("sysLettersOf", target.id)} onClose=${onClose}>
    <${Trouble} problem=${sending.problem} />
    ${said && html`<p class="good" role="status">${said}</p>`}
    <${Shown} of=${read}>${({ items }) => (items.length ? html`
      <div class="bar"><button type="button" class="main" disabled=${sending.isRunning} onClick=${() => sending.run(null)}>${text("sysReplayAll")}</button>
        <span class="faint">${numberOf(items.length)}</span></div>
      <div class="scroll sys-letters"><table>
        <thead><tr><th scope="col">${text("sysWhat")}</th><th scope="col">${text("sysReason")}</th><th scope="col">${text("sysActions")}</th></tr></thead>
        <tbody>${items.map((letter) => html`<tr key=${letter.id}>
          <td><${What} letter=${letter} /></td>
          <td>${letter.reason}</td>
          <td><button type="button" disabled=${sending.isRunning} onClick=${() => sending.run([letter.id])}>${text("sysReplay")}</button></td>
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
