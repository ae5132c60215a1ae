/* The newest picture of a tile's stream: asked for while the tile is near, drawn without a shift, and how old it is. */
import { session } from "../../lib/api.js";
import { now, present } from "../../lib/clock.js";
import { computed, effect, signal, useComputed, useEffect, useRef, useSignal } from "../../lib/html.js";
import { watch } from "../../lib/tiles.js";

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
export const useLast = (id) => useSignal(kept.get(id) ?? null);

/* Has `last` move with each picture that comes, as many as it is worth: {canvas, isOld}, a ref for where they are drawn, and
   a signal of whether a newer one should have been there by now. */
export function usePicture(standing, last, { isNear, isOpen, isPointed }) {
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
export const seenAtMs = (picture, standing) => (standing.isFile ? picture.arrivedAtMs : Math.min(picture.head.at_ms, picture.arrivedAtMs));

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
