/* What somebody is about to change of a camera: kept apart from what is so, and saved only if nobody was quicker. */
import { html, useState } from "../../lib/html.js";
import { askWithHead, may } from "../../lib/api.js";
import { text } from "../../lib/strings.js";
import { Trouble } from "../../lib/ui.js";
import { useUnsaved } from "../../lib/unsaved.js";
import { useAction } from "../../lib/use.js";

export const pathOf = (stream) => `/v1/streams/${encodeURIComponent(stream.id)}`;

/* `read(stream)` gives the fields of a form from what is so. {values, set(field, value), isChanged, isOutdated, reset()}:
   from the first change on, until it is undone, `values` stay, whatever others do meanwhile; then `isOutdated`. */
export function useDraft({ stream, etag }, read) {
  const [draft, setDraft] = useState(null);
  const values = draft?.values ?? read(stream);
  useUnsaved(() => may("operator") && draft !== null); /* viewers only look what there would be */
  const set = (field, value) => setDraft((before) => {
    const is = read(stream), was = before?.values ?? is;
    const values = { ...was, [field]: typeof value === "function" ? value(was[field]) : value };
    return JSON.stringify(values) === JSON.stringify(is) ? null : { etag: before?.etag ?? etag, values };
  });
  return {
    values, set,
    etag: draft?.etag ?? etag,
    isChanged: draft !== null,
    isOutdated: draft !== null && draft.etag !== etag,
    reset: () => setDraft(null),
  };
}

/* Saves a change of the camera that the draft was made from: {run(change), isRunning, problem, clear()}. */
export function useSaving(stream, draft, after) {
  const saving = useAction((change) => askWithHead("PATCH", pathOf(stream), { body: change, headers: { "If-Match": draft.etag } }));
  const run = async (change) => {
    const done = await saving.run(change);
    if (done) { after(done); draft.reset(); }
    return done;
  };
  return { ...saving, run };
}

/* The foot of every form: save, take back, and what stands against it. */
export function Saving({ draft, saving, disabled = false, children }) {
  const isSlower = saving.problem?.status === 412, isConflict = draft.isOutdated || isSlower;
  const reload = () => { draft.reset(); saving.clear(); };
  return html`<div class="saving">
    ${isConflict && html`<p class="trouble" role="alert">${text("cameraConflict")}
      <button type="button" onClick=${reload}>${text("cameraReload")}</button></p>`}
    <${Trouble} problem=${isSlower ? null : saving.problem} />
    <div class="bar">
      <button type="submit" disabled=${!draft.isChanged || saving.isRunning || isConflict || disabled}>${text("save")}</button>
      ${draft.isChanged && html`<button type="button" onClick=${reload}>${text("cameraDiscard")}</button>`}
      ${children}
    </div>
  </div>`;
}
