/* Small things that every view shows alike. */
import { html, useEffect, useId, useRef } from "./html.js";
import { durationOf, now, timeInFull, timeOf } from "./clock.js";
import { text } from "./strings.js";

const isAway = ({ status }) => [0, 502, 504].includes(status);
const isStore = ({ code }) => code === "store_unavailable";

/* Whether the page's head says it already: that the api, or Redis, is away. */
export const isSaid = (problem) => isAway(problem) || isStore(problem);

/* The mark of the page, as a text: an address that is made at each drawing would be fetched at each. */
export const ICON = new URL("../icon.svg", import.meta.url).href;

/* Why something failed, and a way to try again. `problem` is a Problem; null shows nothing. */
export function Trouble({ problem, again }) {
  if (!problem) return null;
  const words = isAway(problem) ? text("away") : isStore(problem) ? problem.message : text("failed", problem.message);
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

/* A dialog over the page, while it is drawn; Escape, the button and a press outside close it. */
export function Dialog({ title, onClose, children }) {
  const ref = useRef(null);
  useEffect(() => { ref.current.showModal(); }, []);
  return html`<dialog ref=${ref} aria-label=${title} onClose=${onClose} onClick=${(event) => event.target === ref.current && ref.current.close()}>
    <div class="dialog">
      <header><h2>${title}</h2>
        <button type="button" class="quiet" aria-label=${text("close")} onClick=${() => ref.current.close()}>✕</button></header>
      ${children}
    </div>
  </dialog>`;
}

/* The colour of a label, the same everywhere: a class of base.css. */
export function hueOf(label) {
  let sum = 0;
  for (const character of label) sum = (sum * 63 + character.charCodeAt(0)) % 499; /* apart for the shipped labels */
  return `hue-${sum % 8}`;
}

/* A label's name as a coloured tag. */
export const Tag = ({ label, children }) => html`<span class=${`tag ${hueOf(label)}`}>${children ?? label}</span>`;
