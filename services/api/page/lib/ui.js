/* Small things that every view shows alike. */
import { html, useEffect, useId, useRef } from "./html.js";
import { trouble } from "./api.js";
import { durationOf, now, timeInFull, timeOf } from "./clock.js";
import { text } from "./strings.js";
import { askFirst, useUnsaved } from "./unsaved.js";
import { useAction } from "./use.js";

const isAway = ({ status }) => [0, 502, 504].includes(status);
const isStore = ({ code }) => code === "store_unavailable";

/* Whether the page's head says it already: that the api, or Redis, is away. */
export const isSaid = (problem) => isAway(problem) || isStore(problem);

/* The mark of the page, as a text: an address that is made at each drawing would be fetched at each. */
export const ICON = new URL("../icon.svg", import.meta.url).href;

/* Why something failed, and a way to try again. `problem` is a Problem; null shows nothing, nor does one that the
   page's head has said until it was over. */
export function Trouble({ problem, again }) {
  if (!problem || (isSaid(problem) && !trouble.value)) return null;
  const words = isAway(problem) ? text("unreached") : isStore(problem) ? problem.message : text("failed", problem.message);
  return html`<div class="trouble" role="alert">${words}
    ${again && html` <button type="button" class="quiet" onClick=${again}>${text("again")}</button>`}</div>`;
}

export const Loading = () => html`<p class="loading" role="status">${text("loading")}</p>`;

export const Empty = ({ children }) => html`<div class="empty">${children}</div>`;

/* What was read (useRead, useAsked): its children are a function of the data. What the page's head says already
   is not said again. */
export function Shown({ of: { data, problem, isLoading, again }, children }) {
  if (data === undefined) return isLoading || isSaid(problem) ? html`<${Loading} />` : html`<${Trouble} problem=${problem} again=${again} />`;
  return html`${problem && !isSaid(problem) && html`<${Trouble} problem=${problem} again=${again} />`}${children(data)}`;
}

/* A time in the viewer's zone; resting on it shows it in full, and in the camera's zone. */
export const Time = ({ ms, zone }) => html`<time dateTime=${new Date(ms).toISOString()} title=${timeInFull(ms, zone)}>${timeOf(ms)}</time>`;

/* How long ago something was, kept up to date. */
export const Age = ({ ms }) => html`<time dateTime=${new Date(ms).toISOString()} title=${timeInFull(ms)}>${text("ago", durationOf(now.value - ms))}</time>`;

/* An input with its label, a hint, and what is wrong with it. `children` is the input, given {id, "aria-describedby"…}. */
export function Field({ label, hint, error, children }) {
  const id = useId();
  const said = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return html`<div class=${`field ${error ? "wrong" : ""}`}>
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": said, "aria-invalid": error ? "true" : undefined })}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

/* A dialog over the page, while it is drawn; Escape, the button and a press outside close it: after a question where
   `isUnsaved()`, and not at all where it `isKept`, which only what is in it closes. */
export function Dialog({ title, onClose, isUnsaved = () => false, isKept, children }) {
  const ref = useRef(null);
  useEffect(() => {
    const before = document.activeElement, find = (kind) => ref.current.querySelector(kind);
    ref.current.showModal();
    (find("[autofocus]") ?? find("input, select, textarea") ?? find(".main"))?.focus();
    return () => before.focus();
  }, []);
  useUnsaved(() => isKept || isUnsaved());
  const leave = (event) => {
    event.preventDefault();
    if (!isKept) askFirst(isUnsaved(), () => ref.current.close());
  };
  return html`<dialog ref=${ref} aria-label=${title} onClose=${onClose} onCancel=${leave} onKeyDown=${(event) => event.key === "Escape" && leave(event)}
      onMouseDown=${(event) => event.target === ref.current && leave(event)}>
    <div class="dialog">
      <header><h2>${title}</h2>
        ${!isKept && html`<button type="button" class="quiet" aria-label=${text("close")} onClick=${leave}>✕</button>`}</header>
      ${children}
    </div>
  </dialog>`;
}

/* Before what cannot be taken back: asks whether to `act`, says why that failed, and is done where it has not. */
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

/* The colour of a label, the same everywhere: a class of base.css. */
export function hueOf(label) {
  let sum = 0;
  for (const character of label) sum = (sum * 63 + character.charCodeAt(0)) % 499; /* apart for the shipped labels */
  return `hue-${sum % 8}`;
}

/* A label's name as a coloured tag. */
export const Tag = ({ label, children }) => html`<span class=${`tag ${hueOf(label)}`}>${children ?? label}</span>`;
