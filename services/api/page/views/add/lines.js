/* What is pasted, line by line: names, ids and sources, and sources without what may be secret in them. */
import { text } from "../../lib/strings.js";
import { idFor } from "./wish.js";

export const MAX_LINES = 500;
const HIDDEN = "***";

/* Logins that were pasted, by what is shown instead: a source as it stands in the box → the source. */
export class Remembered {
  #sources = new Map();

  /* A source as it may be shown; given back, it is `source` again. */
  hide(source) {
    const shown = masked(source);
    if (shown === source) return source;
    for (let number = 1; ; number += 1) {
      const name = number === 1 ? shown : shown.replace(HIDDEN, `${HIDDEN}${number}`);
      const known = this.#sources.get(name);
      if (known === undefined) this.#sources.set(name, source);
      if (known === undefined || known === source) return name;
    }
  }

  /* The source that a line means; null where it holds a mask that hides nothing known here. */
  reveal(typed) {
    return this.#sources.get(typed) ?? (typed.includes(HIDDEN) ? null : typed);
  }
}

/* A URL without its login and without the values of what it assigns. */
function masked(source) {
  const found = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(source);
  if (!found) return source;
  const [, scheme, rest] = found;
  const login = rest.lastIndexOf("@");
  const open = login < 0 ? rest : `${HIDDEN}${rest.slice(login)}`;
  return scheme + open.replace(/=[^&/;?]+/g, `=${HIDDEN}`);
}

/* The lines of a box: [{number, name, id, source, shown, words}], where `words` say why one cannot be meant so. */
export function linesOf(box, remembered, used = new Set()) {
  const lines = [], ids = new Set(), sources = new Set();
  for (const [at, raw] of box.split("\n").entries()) {
    const line = raw.trim();
    if (!line || line.startsWith("#")) continue;
    const [given, typed] = partsOf(line);
    const source = remembered.reveal(typed);
    const name = given || nameOf(typed);
    const id = freeId(idFor(name || typed, new Set([...used, ...ids])) || "stream", ids);
    const words = source === null ? text("addForgotten") : sources.has(source) ? text("addTwice") : null;
    sources.add(source);
    lines.push({ number: at + 1, given, name, id, source, shown: source === null ? typed : remembered.hide(source), words });
  }
  return lines;
}

/* A line as it stands in the box again, with no login in it. */
export const asLine = ({ given, shown }) => (given ? `${given},${shown}` : shown);

/* Name and source: a comma before any `://` parts them. */
function partsOf(line) {
  const comma = line.indexOf(","), scheme = line.indexOf("://");
  if (comma < 0 || (scheme >= 0 && comma > scheme)) return ["", line];
  return [line.slice(0, comma).trim(), line.slice(comma + 1).trim()];
}

/* What a source is called that was given no name: its host, or its file. */
function nameOf(source) {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:.*@)?(\[[^\]]+\]|[^/:?#]+)/is.exec(source);
  return host ? host[1] : source.split("/").pop().replace(/\.[a-z0-9]{1,4}$/i, "").slice(0, 200);
}

function freeId(id, taken) {
  let free = id;
  for (let number = 2; taken.has(free); number += 1) free = `${id}-${number}`;
  taken.add(free);
  return free;
}
