/* A secret that is shown this once, to be copied. */
import { html, useRef, useState } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { Dialog } from "../../lib/ui.js";

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
  return html`<${Dialog} title=${title} onClose=${onClose} isKept>
    <p>${words}</p>
    <div class="sys-once">
      <input class="mono" ref=${ref} readOnly value=${secret} aria-label=${title} onFocus=${(event) => event.target.select()} />
      <button type="button" class="main" onClick=${copy}>${text(said)}</button>
    </div>
    <div class="bar end"><button type="button" onClick=${onClose}>${text("sysDone")}</button></div>
  <//>`;
}
