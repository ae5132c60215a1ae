/* One stream's tile: its picture, what is open on it, and where it stands. */
import { durationOf, now, numberOf, timeInFull } from "../../lib/clock.js";
import { html, useComputed, useEffect, useState } from "../../lib/html.js";
import { to } from "../../lib/router.js";
import { SIGNS, TONES } from "../../lib/standing.js";
import { Retry, StateWord, whyOf } from "../../lib/standing_shown.js";
import { text } from "../../lib/strings.js";
import { hueOf, Tag } from "../../lib/ui.js";
import { useNear } from "../../lib/use.js";
import { openedText } from "./opened.js";
import { seenAtMs, useLast, usePicture } from "./picture.js";
import { isStale, near } from "./streams.js";

const MAX_TAGS = 3, LATE_MS = 10_000;

/* `news` is the signal of the stream's standing. */
export function Tile({ news }) {
  const standing = news.value;
  const [cell, isNear] = useNear();
  const [isPointed, setPointed] = useState(false);
  const last = useLast(standing.id);
  const opened = JSON.parse(useComputed(() => openedText(standing.id, last.value)).value);
  const { canvas, isOld } = usePicture(standing, last, { isNear, isPointed, isOpen: opened.length > 0 });
  const hasPicture = useComputed(() => last.value !== null).value;
  useEffect(() => {
    if (isNear) near.add(standing.id);
    return () => near.delete(standing.id);
  }, [isNear, standing.id]);
  const point = () => setPointed(true), leave = () => setPointed(false);
  const isDim = hasPicture && (isStale.value || (standing.state === "live" ? isOld.value : standing.state !== "ended"));
  return html`<li class="cell" ref=${cell}>
    <a class=${`tile ${opened.length ? `open ${opened[0].isAlert ? "alert" : "notice"} ${hueOf(opened[0].label)}` : ""}`}
      href=${to(["camera", standing.id])} onPointerEnter=${point} onPointerLeave=${leave} onFocus=${point} onBlur=${leave}>
      <span class=${`view ${isDim ? "dim" : ""}`}>
        <canvas ref=${canvas} aria-hidden="true" hidden=${!hasPicture} width="16" height="9"></canvas>
        ${!hasPicture && html`<${NoPicture} standing=${standing} />`}
        <span class="over">
          ${opened.length > 0 && html`<${Opened} opened=${opened} />`}
          ${standing.maintenance && html`<span class="tag" title=${text("wallMaintenanceInFull")}>${text("wallMaintenance")}</span>`}
          ${isDim && html`<${PictureAge} picture=${last} standing=${standing} />`}
        </span>
        ${hasPicture && !isStale.value && html`<${Why} standing=${isDim ? { ...standing, silentSinceMs: null } : standing} />`}
      </span>
      <span class="about">
        <bdi class="name" title=${standing.name}>${standing.name}</bdi>
        <${Standing} standing=${standing} />
      </span>
    </a>
  </li>`;
}

function Opened({ opened }) {
  return html`<span class="tags">
    ${opened.slice(0, MAX_TAGS).map(({ label, isAlert }) => html`<span key=${label} title=${text(isAlert ? "wallAlert" : "wallNotice", label)}>
      <${Tag} label=${label}>${isAlert ? "▲ " : "· "}${label}<//></span>`)}
    ${opened.length > MAX_TAGS && html`<span class="tag">${text("wallMoreLabels", opened.length - MAX_TAGS)}</span>`}
  </span>`;
}

/* In the place of a picture: why there is none. */
function NoPicture({ standing }) {
  return html`<span class="none"><span class=${`sign ${TONES[standing.state]}`} aria-hidden="true">${SIGNS[standing.state]}</span>
    <span class="words">${whyOf({ ...standing, isBehind: false }) ?? text(standing.state === "live" ? "wallNoPicture" : `stands_${standing.state}`)}</span></span>`;
}

function Why({ standing }) {
  const why = whyOf(standing);
  return why && html`<span class="why" title=${why}>${why}</span>`;
}

/* How old the picture is, kept up to date. A file's says nothing of that: while it plays, for how long no other has come. */
function PictureAge({ picture, standing }) {
  if (standing.isFile && standing.state !== "live") return null;
  const aged = durationOf(now.value - seenAtMs(picture.value, standing));
  return html`<span class="age" title=${timeInFull(picture.value.head.at_ms)}>${text(standing.isFile ? "wallNoNewer" : "wallPictureOf", aged)}</span>`;
}

function Standing({ standing }) {
  const { looksAtFps, lagFrames, lagMs } = standing;
  if (isStale.value) return html`<span class="standing"><${StateWord} standing=${standing} isStale /></span>`;
  const frames = text(lagFrames === 1 ? "wallFrame" : "wallFrames", numberOf(lagFrames));
  return html`<span class="standing">
    <${StateWord} standing=${standing} />
    <span class="figures">
      ${standing.nextAttemptAtMs && html`<${Retry} atMs=${standing.nextAttemptAtMs} />`}
      ${looksAtFps !== null && html`<span title=${text("wallFpsInFull", numberOf(standing.fps, 2))}>${text("wallFps", numberOf(looksAtFps, 1))}</span>`}
      ${lagFrames > 0 && html`<span class=${lagMs > LATE_MS ? "warn" : ""} title=${text("wallLagInFull", frames)}>${text("wallLag", durationOf(lagMs))}</span>`}
    </span>
  </span>`;
}
