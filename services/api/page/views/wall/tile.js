/* One stream's tile: its picture, what is open on it, and where it stands. */
import { durationOf, now, numberOf, timeInFull } from "../../lib/clock.js";
import { html, useComputed, useEffect, useState } from "../../lib/html.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { hueOf, Tag } from "../../lib/ui.js";
import { useNear } from "../../lib/use.js";
import { openedText } from "./opened.js";
import { seenAtMs, useLast, usePicture } from "./picture.js";
import { SIGNS, TONES } from "./standing.js";
import { near } from "./streams.js";

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
  const isDim = hasPicture && (standing.state === "live" ? isOld.value : standing.state !== "ended");
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
        ${hasPicture && html`<${Why} standing=${standing} />`}
      </span>
      <span class="about">
        <span class="name" dir="auto" title=${standing.name}><bdi>${standing.name}</bdi></span>
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
    <span class="words">${whyOf({ ...standing, isBehind: false }) ?? text(standing.state === "live" ? "wallNoPicture" : `wallIs_${standing.state}`)}</span></span>`;
}

function Why({ standing }) {
  const why = whyOf(standing);
  return why && html`<span class="why" title=${why}>${why}</span>`;
}

/* What there is to say of how it stands, or null. */
function whyOf({ reason, silentSinceMs, pendingSinceMs, isBehind, lagMs }) {
  if (reason) return reason;
  if (silentSinceMs) return text("wallSilent", durationOf(now.value - silentSinceMs));
  if (isBehind) return text("wallBehind", durationOf(lagMs));
  return pendingSinceMs ? text("wallNotTakenUp", durationOf(now.value - pendingSinceMs)) : null;
}

/* How old the picture is, kept up to date. */
function PictureAge({ picture, standing }) {
  const atMs = seenAtMs(picture.value, standing);
  return html`<span class="age" title=${timeInFull(picture.value.head.at_ms)}>${text("wallPictureOf", durationOf(now.value - atMs))}</span>`;
}

function Standing({ standing }) {
  const { state, looksAtFps, lagFrames, lagMs, isTroubled } = standing;
  const frames = text(lagFrames === 1 ? "wallFrame" : "wallFrames", numberOf(lagFrames));
  return html`<span class="standing">
    <span class=${isTroubled && state === "live" ? "warn" : TONES[state]}><span aria-hidden="true">${SIGNS[state]}</span> ${text(`wallIs_${state}`)}</span>
    <span class="figures">
      ${standing.nextAttemptAtMs && html`<${Retry} atMs=${standing.nextAttemptAtMs} />`}
      ${looksAtFps !== null && html`<span title=${text("wallFpsInFull", numberOf(standing.fps, 2))}>${text("wallFps", numberOf(looksAtFps, 1))}</span>`}
      ${lagFrames > 0 && html`<span class=${lagMs > LATE_MS ? "warn" : ""} title=${text("wallLagInFull", frames)}>${text("wallLag", durationOf(lagMs))}</span>`}
    </span>
  </span>`;
}

const Retry = ({ atMs }) => html`<span>${text("wallRetry", durationOf(Math.max(0, atMs - now.value)))}</span>`;
