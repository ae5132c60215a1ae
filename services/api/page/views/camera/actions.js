/* What is done with a camera at once: pause and resume, a new usual view, and its removal. */
import { html, useState } from "../../lib/html.js";
import { ask, askWithHead } from "../../lib/api.js";
import { arrive, to } from "../../lib/router.js";
import { Question } from "../../lib/question.js";
import { text } from "../../lib/strings.js";
import { Dialog, Field, Trouble } from "../../lib/ui.js";
import { useAction, useIsHere } from "../../lib/use.js";
import { pathOf } from "./draft.js";

export function Actions({ known: { stream, etag }, after }) {
  const [asking, setAsking] = useState(null);
  const pausing = useAction(() => askWithHead("POST", `${pathOf(stream)}/${stream.paused ? "resume" : "pause"}`));
  const turn = async () => { const done = await pausing.run(); if (done) after(done); };
  const close = () => setAsking(null);
  return html`<div class="bar actions">
    <button type="button" onClick=${turn} disabled=${pausing.isRunning}>${text(stream.paused ? "cameraResume" : "cameraPause")}</button>
    <button type="button" onClick=${() => setAsking("forget")}>${text("cameraNewNormal")}</button>
    <button type="button" class="danger" onClick=${() => setAsking("remove")}>${text("cameraRemove")}</button>
    <${Trouble} problem=${pausing.problem} />
    ${asking === "forget" && html`<${Forget} stream=${stream} after=${after} close=${close} />`}
    ${asking === "remove" && html`<${Remove} stream=${stream} etag=${etag} close=${close} />`}
  </div>`;
}

function Forget({ stream, after, close }) {
  const act = async () => after(await askWithHead("POST", `${pathOf(stream)}/forget`));
  return html`<${Question} title=${text("cameraNewNormal")} yes=${text("cameraForget")} act=${act} onClose=${close} onDone=${close}>
    <p>${text("cameraForgetWhat")}</p><p class="faint">${text("cameraForgetWhen")}</p>
  <//>`;
}

function Remove({ stream, etag, close }) {
  const [typed, setTyped] = useState(""), isHere = useIsHere();
  const removing = useAction(async () => { await ask("DELETE", pathOf(stream), { headers: { "If-Match": etag } }); return true; });
  const submit = async (event) => {
    event.preventDefault();
    if (typed.trim() === stream.name.trim() && (await removing.run()) && isHere()) arrive(to(["wall"]));
  };
  return html`<${Dialog} title=${text("cameraRemoveTitle")} onClose=${close}>
    <form onSubmit=${submit}>
      <p>${text("cameraRemoveWhat")}</p>
      <p><strong><bdi>${stream.name}</bdi></strong></p>
      <${Field} label=${text("cameraTypeName")} error=${removing.problem && (removing.problem.status === 0 ? text("away") : removing.problem.message)}>
        ${(field) => html`<input ...${field} dir="auto" autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)} />`}<//>
      <div class="bar end"><button type="button" onClick=${close}>${text("cancel")}</button>
        <button type="submit" class="danger" disabled=${typed.trim() !== stream.name.trim() || removing.isRunning}>${text("remove")}</button></div>
    </form>
  <//>`;
}
