/* The picture: live at full rate, or of the moment that is pointed at. */
import { html, useEffect, useRef, useSignal } from "../../lib/html.js";
import { address } from "../../lib/api.js";
import { durationOf, now, present } from "../../lib/clock.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { watch } from "../../lib/tiles.js";
import { Empty, hueOf, Tag, Time } from "../../lib/ui.js";
import { useMoment } from "./moment.js";

const FULL_RATE = 15;
const STALE_MS = 5000;

export function Picture({ stream, span, happened, zone }) {
  const live = useLive(stream.id);
  const ms = span.shown.value;
  const moment = useMoment(stream, ms, happened, () => live.newestMs.peek());
  const opened = live.open.value;
  const isLive = ms === null;
  return html`<figure class=${`picture ${isLive && opened.length ? `open ${hueOf(opened[0])}` : ""}`}>
    <div class="frame" hidden=${!isLive}>
      <img ref=${live.image} alt=${text("cameraLiveAlt", stream.name)} hidden=${live.newestMs.value === null} />
      ${live.newestMs.value === null && html`<${Empty}>${text(waitingWords(stream))}<//>`}
    </div>
    ${!isLive && html`<div class="frame"><${Kept} moment=${moment} stream=${stream} /></div>`}
    <figcaption>
      ${isLive ? html`<${LiveWords} live=${live} stream=${stream} />` : html`<span>${text(momentWords(moment))}</span>
        <${Time} ms=${Math.round(ms)} zone=${zone} />`}
      ${moment?.kind === "clip" && html`<a href=${to(["event", moment.event.id])}>${text("cameraToEvent")}</a>`}
      <span class="grow"></span>
      ${(isLive ? opened : []).map((label) => html`<${Tag} key=${label} label=${label} />`)}
      ${!isLive && html`<button type="button" onClick=${() => span.goLive()}>${text("cameraBackToLive")}</button>`}
    </figcaption>
  </figure>`;
}

/* The newest picture is drawn past the page's own drawing: eight or more come each second. */
function useLive(streamId) {
  const image = useRef(null), newestMs = useSignal(null), open = useSignal([]), heardMs = useSignal(0);
  useEffect(() => {
    let url = null;
    newestMs.value = null;
    const watching = watch(streamId, FULL_RATE, (head, jpeg) => {
      const before = url;
      url = URL.createObjectURL(jpeg);
      if (image.current) image.current.src = url;
      if (before) URL.revokeObjectURL(before);
      newestMs.value = head.at_ms;
      heardMs.value = present();
      if (head.open.join() !== open.peek().join()) open.value = head.open;
    });
    return () => { watching.stop(); if (url) URL.revokeObjectURL(url); };
  }, [streamId]);
  return { image, newestMs, open, heardMs };
}

/* Live, or for how long no picture has come; of a file, that is told by when the last one came here. */
function LiveWords({ live, stream }) {
  const isOver = stream.finished || stream.paused;
  if (live.newestMs.value === null) return html`<span class="faint">${text("cameraNoPicture")}</span>`;
  const silentMs = now.value - live.heardMs.value;
  if (isOver || silentMs > STALE_MS) {
    return html`<span class=${isOver ? "faint" : "warn stale"}>${text(isOver ? "cameraLast" : "cameraStale", durationOf(silentMs))}</span>`;
  }
  return html`<span class="good now">${text("cameraLive")}</span>`;
}

function Kept({ moment, stream }) {
  const film = useRef(null);
  const seconds = moment?.kind === "clip" ? moment.seconds : null;
  useEffect(() => {
    const element = film.current;
    if (!element || seconds === null) return undefined;
    const seek = () => { element.currentTime = seconds + 0.001; };
    if (element.readyState >= 1) seek();
    else element.addEventListener("loadedmetadata", seek, { once: true });
    return () => element.removeEventListener("loadedmetadata", seek);
  }, [seconds, moment?.event?.id]);
  if (!moment) return html`<${Empty}>${text("loading")}<//>`;
  if (moment.kind === "frame") return html`<img src=${moment.url} alt=${text("cameraMomentAlt", stream.name)} />`;
  if (moment.kind === "none") return html`<${Empty}>${text("cameraNotKept")}<//>`;
  const clip = address(`/v1/events/${encodeURIComponent(moment.event.id)}/clip.mp4`).href; /* a URL would be another at each drawing, and begin anew */
  return html`<video ref=${film} key=${moment.event.id} src=${clip} muted playsinline preload="auto" aria-label=${text("cameraMomentAlt", stream.name)}></video>`;
}

const momentWords = (moment) => (moment?.kind === "frame" ? "cameraKeptFrame" : moment?.kind === "clip" ? "cameraFromClip" : "cameraMoment");

function waitingWords(stream) {
  if (stream.paused) return "cameraIsPaused";
  return { failed: "cameraHasFailed", waiting: "cameraIsAway", ended: "cameraHasEnded" }[stream.state] ?? "cameraNoPictureYet";
}
