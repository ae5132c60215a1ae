/* One stream's tile: its picture, what is open on it, and where it stands. */
import { session } from "../../lib/api.js";
import { durationOf, now, numberOf, present, timeInFull } from "../../lib/clock.js";
import { computed, effect, html, signal, useComputed, useEffect, useRef, useSignal, useState } from "../../lib/html.js";
import { to } from "../../lib/router.js";
import { SIGNS, TONES } from "../../lib/standing.js";
import { Retry, StateWord, whyOf } from "../../lib/standing_shown.js";
import { text } from "../../lib/strings.js";
import { watch } from "../../lib/tiles.js";
import { hueOf, Tag } from "../../lib/ui.js";
import { useNear } from "../../lib/use.js";
import { openedText } from "./opened.js";
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

/* The newest picture of a tile's stream: asked for while the tile is near, drawn without a shift, and how old it is. */
/* Pictures a second: nothing happens; something is open or the pointer is there; none is to come. */
const QUIET = 0.2, LIVE = 8, OVER = 0.1;
/* What the tiles with something open share. */
const LIVE_IN_ALL = 64;
const PATIENCE_MS = 5000;
const MAX_KEPT = 600;

const numOpen = signal(0);
const share = computed(() => Math.max(1, Math.min(LIVE, Math.floor(LIVE_IN_ALL / Math.max(1, numOpen.value)))));

/* The last pictures, for tiles that come back: id → {head, jpeg, arrivedAtMs}, the oldest first. */
const kept = new Map();
effect(() => { if (!session.value) kept.clear(); });

/* A signal of a stream's last picture, {head, jpeg, arrivedAtMs} or null. */
const useLast = (id) => useSignal(kept.get(id) ?? null);

/* Has `last` move with each picture that comes, as many as it is worth: {canvas, isOld}, a ref for where they are drawn, and
   a signal of whether a newer one should have been there by now. */
function usePicture(standing, last, { isNear, isOpen, isPointed }) {
  const canvas = useRef(null), watching = useRef(null), watchedAtMs = useSignal(null);
  const fps = useRate(standing.state, isNear && isOpen, isPointed);
  useEffect(() => {
    if (!isNear) return undefined;
    const draw = drawing(canvas.current);
    if (last.peek()) draw(last.peek().jpeg);
    watchedAtMs.value = present();
    watching.current = watch(standing.id, fps, (head, jpeg) => {
      if (last.peek()?.head.at_ms !== head.at_ms) draw(jpeg);
      last.value = keep(head, jpeg, last.peek());
    });
    return () => { watching.current.stop(); watching.current = null; draw(null); };
  }, [standing.id, isNear]);
  useEffect(() => watching.current?.rate(fps), [fps]);
  const isOld = useComputed(() => last.value !== null && watchedAtMs.value !== null
    && now.value - watchedAtMs.value > PATIENCE_MS
    && now.value - seenAtMs(last.value, standing) > PATIENCE_MS + 2000 * (1 / fps + 1 / standing.fps));
  return { canvas, isOld };
}

/* When a picture was taken; of a file, whose times are those of its recording, when it came. */
const seenAtMs = (picture, standing) => (standing.isFile ? picture.arrivedAtMs : Math.min(picture.head.at_ms, picture.arrivedAtMs));

function useRate(state, isOpen, isPointed) {
  const isLive = state === "live", isEager = isLive && isOpen;
  useEffect(() => {
    if (!isEager) return undefined;
    numOpen.value += 1;
    return () => { numOpen.value -= 1; };
  }, [isEager]);
  if (!isLive) return OVER;
  return isPointed ? LIVE : isEager ? share.value : QUIET;
}

function keep(head, jpeg, before) {
  const isSame = before?.head.at_ms === head.at_ms;
  const picture = { head, jpeg, arrivedAtMs: isSame ? before.arrivedAtMs : present() };
  kept.delete(head.id);
  kept.set(head.id, picture);
  if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value);
  return picture;
}

/* What draws on a canvas: one bitmap at a time, so that only tiles that are near hold any; null lets go of it. */
function drawing(canvas) {
  const renderer = canvas.getContext("bitmaprenderer");
  let turn = 0;
  return async (jpeg) => {
    const mine = (turn += 1);
    const bitmap = jpeg && (await createImageBitmap(jpeg).catch(() => null)); /* of a damaged one the next is waited for */
    if (mine !== turn) { bitmap?.close(); return; }
    if (jpeg && !bitmap) return;
    if (bitmap && canvas.width !== bitmap.width) canvas.width = bitmap.width;
    if (bitmap && canvas.height !== bitmap.height) canvas.height = bitmap.height;
    renderer.transferFromImageBitmap(bitmap);
  };
}
