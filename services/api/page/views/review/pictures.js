/* An event's pictures: those that there are, and of the others why not. */
import { html, useEffect, useState } from "../../lib/html.js";
import { address } from "../../lib/api.js";
import { text } from "../../lib/strings.js";
import { isComing } from "./freshen.js";

export const KINDS = ["before", "opening", "peak"];
const AGAIN_MS = 15_000;
/* Whether a picture that is not there may come: once the clip is cut, only a higher peak. */
const mayCome = (event, kind) => isComing(event) && (!event.media?.recorded_at_ms || kind === "peak");

const WORDS = { before: "pictureBefore", opening: "pictureOpening", peak: "picturePeak" };

export const pictureName = (kind) => text(WORDS[kind]);

/* One of them. A peak may give way to a higher one: its time of capture in the address has it asked for again. */
export function Picture({ event, kind, name }) {
  const atMs = event.media?.pictures?.[kind];
  const [goneMs, setGone] = useState(null);
  useEffect(() => { /* who was away may be back */
    if (goneMs === null) return undefined;
    const timer = setTimeout(() => setGone(null), AGAIN_MS);
    return () => clearTimeout(timer);
  }, [goneMs]);
  if (atMs === undefined || goneMs === atMs) {
    const words = goneMs !== null ? "pictureGone" : mayCome(event, kind) ? "pictureComing" : "pictureNone";
    return html`<span class="no-picture" title=${event.media?.reason}>${text(words)}</span>`;
  }
  const src = `${address(`/v1/events/${event.id}/pictures/${kind}.jpg`).href}#${atMs}`;
  return html`<img src=${src} loading="lazy" decoding="async" alt=${text("pictureOf", pictureName(kind), name)}
    onError=${() => setGone(atMs)} />`;
}
