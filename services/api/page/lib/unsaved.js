/* What was typed and not saved: who leaves the page or the view is asked first. */
import { html, render, useEffect, useRef } from "./html.js";
import { arrive, hold } from "./router.js";
import { text } from "./strings.js";
import { Question } from "./ui.js";

const forms = new Set(); /* of functions that say whether something would be lost */
const isAny = () => [...forms].some((isUnsaved) => isUnsaved());
const placeOf = (hash) => hash.split("?")[0];
let isSure = false;

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

/* A link to another place, or what signs out; one that opens beside it takes nothing away. */
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#/"], [data-leaves]');
  if (!link || isSure || event.ctrlKey || event.metaKey || event.shiftKey || !isAny()) return;
  if (link.hash && placeOf(link.hash) === placeOf(location.hash)) return;
  event.preventDefault();
  event.stopPropagation();
  ask(() => {
    if (link.hash) { arrive(link.hash); return; }
    isSure = true;
    link.click();
    isSure = false;
  });
}, true);

/* Back, or another address: one stays where one was until one has said that one leaves. */
hold(({ oldURL }) => {
  const { hash } = new URL(oldURL), wanted = location.hash;
  if (placeOf(hash) === placeOf(wanted) || !isAny()) return false;
  history.pushState(null, "", hash);
  ask(() => arrive(wanted, "replaceState"));
  return true;
});

/* Does it, where something would be lost after a question. */
export const askFirst = (isAsked, leave) => (isAsked ? ask(leave) : leave());

/* One question at a time. */
let box = null;
function ask(leave) {
  close();
  box = document.body.appendChild(document.createElement("div"));
  render(html`<${Question} title=${text("unsaved")} yes=${text("leave")} act=${leave} onClose=${close} onDone=${close} />`, box);
}

function close() {
  if (!box) return;
  render(null, box);
  box.remove();
  box = null;
}
