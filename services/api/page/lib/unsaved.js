/* What was typed and not saved: who leaves the page, or the view by a link, is asked first. */
import { useEffect, useRef } from "./html.js";
import { text } from "./strings.js";

const forms = new Set(); /* of functions that say whether something would be lost */
const isAny = () => [...forms].some((isUnsaved) => isUnsaved());

/* `isUnsaved()` is asked at the moment somebody leaves, as long as the form is drawn. */
export function useUnsaved(isUnsaved) {
  const current = useRef(isUnsaved);
  current.current = isUnsaved;
  useEffect(() => {
    const asked = () => current.current();
    forms.add(asked);
    return () => forms.delete(asked);
  }, []);
}

addEventListener("beforeunload", (event) => { if (isAny()) event.preventDefault(); });

/* A link to elsewhere in the page; one that opens beside it takes nothing away. */
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#/"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0 || !isAny()) return;
  if (!confirm(text("unsaved"))) { event.preventDefault(); event.stopPropagation(); }
}, true);
