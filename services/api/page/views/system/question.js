/* A question before what cannot be taken back, and a secret that is shown once. */
import { html, useRef, useState } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { useAction } from "../../lib/use.js";
import { Dialog, Trouble } from "../../lib/ui.js";

/* Asks whether to `act`; closes itself when that is done, with what was given by it. */
export function Question({ title, words, yes, act, onClose, onDone }) {
  const acting = useAction(act);
  const run = async () => { if ((await acting.run()) !== undefined) onDone(); };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${words}</p>
    <${Trouble} problem=${acting.problem} />
    <div class="bar sys-answers">
      <button type="button" class="danger" disabled=${acting.isRunning} onClick=${run}>${yes}</button>
      <button type="button" autofocus onClick=${onClose}>${text("cancel")}</button>
    </div>
  <//>`;
}

/* What is shown this once, to be copied. */
export function Once({ title, words, secret, onClose }) {
  const [said, setSaid] = useState("sysCopy"), ref = useRef(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      setSaid("sysCopied");
    } catch { /* not allowed, or no clipboard over plain http: so it is marked, to be copied by hand */
      ref.current.select();
      setSaid("sysCopyByHand");
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${words}</p>
    <div class="sys-once">
      <input class="mono" ref=${ref} readOnly value=${secret} aria-label=${title} onFocus=${(event) => event.target.select()} />
      <button type="button" class="main" onClick=${copy}>${text(said)}</button>
    </div>
    <div class="bar sys-answers"><button type="button" onClick=${onClose}>${text("sysDone")}</button></div>
  <//>`;
}
