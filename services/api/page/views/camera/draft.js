/* What somebody is about to change of a camera: kept apart from what is so, and saved only if nobody was quicker. */
import { useCallback, useState } from "../../lib/html.js";
import { askWithHead } from "../../lib/api.js";
import { useUnsaved } from "../../lib/unsaved.js";
import { useAction } from "../../lib/use.js";

export const pathOf = (stream) => `/v1/streams/${encodeURIComponent(stream.id)}`;

/* `read(stream)` gives the fields of a form from what is so. {values, set(field, value), isChanged, isOutdated, reset()}:
   from the first change on `values` stay, whatever others do meanwhile; then `isOutdated`. */
export function useDraft({ stream, etag }, read) {
  const [draft, setDraft] = useState(null);
  const values = draft?.values ?? read(stream);
  useUnsaved(() => draft !== null);
  const set = useCallback((field, value) => setDraft((before) => ({
    etag: before?.etag ?? etag,
    values: { ...(before?.values ?? read(stream)), [field]: typeof value === "function" ? value((before?.values ?? read(stream))[field]) : value },
  })), [stream, etag]);
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
