/* The foot of every form: save, take back, and what stands against it. */
import { html } from "../../lib/html.js";
import { text } from "../../lib/strings.js";

export function Saving({ draft, saving, disabled = false, children }) {
  const isConflict = draft.isOutdated || saving.problem?.status === 412;
  const reload = () => { draft.reset(); saving.clear(); };
  const problem = saving.problem && saving.problem.status !== 412 ? saving.problem : null;
  return html`<div class="saving">
    ${isConflict && html`<p class="trouble" role="alert">${text("cameraConflict")}
      <button type="button" onClick=${reload}>${text("cameraReload")}</button></p>`}
    ${problem && html`<p class="trouble" role="alert">${problem.status === 0 ? text("away") : text("failed", problem.message)}</p>`}
    <div class="bar">
      <button type="submit" disabled=${!draft.isChanged || saving.isRunning || isConflict || disabled}>${text("save")}</button>
      ${draft.isChanged && html`<button type="button" onClick=${reload}>${text("cameraDiscard")}</button>`}
      ${children}
    </div>
  </div>`;
}
