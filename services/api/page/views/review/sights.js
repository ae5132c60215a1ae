/* An event's pictures at their size, and its clip with the exact time of the frame that is shown. */
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { durationOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { Clip, clipAddress } from "./clip.js";
import { KINDS, Picture, pictureName } from "./pictures.js";

const EXACT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

/* A time of day to the millisecond. */
export const exactly = (ms) => EXACT.format(ms);

/* How far from the opening something was, in words. */
function fromOpening(ms, event) {
  const after = ms - event.started_at_ms;
  if (!after) return text("eventAtOpening");
  return text(after > 0 ? "eventAfter" : "eventBefore", durationOf(Math.abs(after)));
}

/* As its clip is, so that no picture has bars beside it. */
const aspectOf = ({ media }) => (media?.clip ? { "--aspect": `${media.clip.width} / ${media.clip.height}` } : {});

export function Large({ event, stream }) {
  return html`<div class="large" style=${aspectOf(event)}>${KINDS.map((kind) => {
    const atMs = event.media?.pictures?.[kind];
    return html`<figure><div class="frame"><${Picture} event=${event} kind=${kind} name=${stream.name} /></div>
      <figcaption><strong>${pictureName(kind)}</strong>${atMs !== undefined && html` · ${text("eventAt", exactly(atMs), fromOpening(atMs, event))}`}</figcaption></figure>`;
  })}</div>`;
}

export function Film({ event, stream }) {
  const [seconds, setSeconds] = useState(0);
  const video = useRef(null), clip = event.media?.clip;
  useEffect(() => {
    const element = video.current;
    if (!element?.requestVideoFrameCallback) return undefined;
    let asked = 0;
    const take = (_now, frame) => { setSeconds(frame.mediaTime); asked = element.requestVideoFrameCallback(take); };
    asked = element.requestVideoFrameCallback(take);
    return () => element.cancelVideoFrameCallback(asked);
  }, [event.id, Boolean(clip)]);
  const facts = clip && [
    text("clipTimes", exactly(clip.from_ms), exactly(clip.to_ms), clip.num_frames, clip.width, clip.height),
    clip.frames_missing > 0 && text("clipMissing", clip.frames_missing),
    event.media.reason,
  ].filter(Boolean).join(" · ");
  const shownMs = clip && Math.round(clip.from_ms + seconds * 1000);
  return html`<div class="film" style=${aspectOf(event)}><${Clip} event=${event} name=${stream.name} controls preload="metadata" ref=${video} /></div>
    ${clip && html`<p class="figures">${text("clipShown", exactly(shownMs))} (${fromOpening(shownMs, event)}) · ${facts} ·
      ${" "}<a href=${clipAddress(event)} download=${`${event.id}.mp4`}>${text("clipSave")}</a></p>`}`;
}
