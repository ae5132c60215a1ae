/* A question before what cannot be taken back. */
import { html } from "./html.js";
import { text } from "./strings.js";
import { Dialog, Trouble } from "./ui.js";
import { useAction } from "./use.js";

/* Asks whether to `act`, says why that failed, and is done where it has not. */
export function Question({ title, yes, act, onClose, onDone, children }) {
  const acting = useAction(async () => { await act(); return true; });
  const run = async () => { if (await acting.run()) onDone(); };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    <${Trouble} problem=${acting.problem} />
    <div class="bar end"><button type="button" autofocus onClick=${onClose}>${text("cancel")}</button>
      <button type="button" class="danger" disabled=${acting.isRunning} onClick=${run}>${yes}</button></div>
  <//>`;
}
