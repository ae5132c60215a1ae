/* The picture of a moment that is pointed at: of the frames that are kept, or else out of the clip of an event. */
import { useEffect, useRef, useState } from "../../lib/html.js";
import { address } from "../../lib/api.js";

const PAUSE_MS = 150;
const NEAR_MS = 1000;

/* {kind: "frame", url, atMs}, {kind: "clip", event, seconds, atMs}, {kind: "none"}, or null while nothing is pointed at
   or known yet. `newestMs()` is the time of the newest live picture, null before there was one: nothing is kept then. */
export function useMoment(stream, ms, happened, newestMs) {
  const [shown, setShown] = useState(null);
  const oldest = useRef(0); /* nothing from before it is kept any more */
  useEffect(() => {
    if (ms === null) { setShown(null); return undefined; }
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      const atMs = Math.round(ms);
      const frame = newestMs() !== null && atMs > oldest.current && (await frameNear(stream.id, atMs, abort.signal, oldest));
      const kept = frame || (await clipAt(happened, atMs));
      if (!abort.signal.aborted) setShown(kept || { kind: "none" });
      else if (frame) URL.revokeObjectURL(frame.url);
    }, PAUSE_MS);
    return () => { abort.abort(); clearTimeout(timer); };
  }, [stream.id, ms]);
  useEffect(() => () => { if (shown?.url) URL.revokeObjectURL(shown.url); }, [shown?.url]);
  return shown;
}

async function frameNear(streamId, atMs, signal, oldest) {
  try {
    const path = `/v1/streams/${encodeURIComponent(streamId)}/frames.jpg`;
    const answer = await fetch(address(path, { at_ms: atMs }), { signal, credentials: "same-origin" });
    if (!answer.ok) return null;
    const capturedMs = Number(answer.headers.get("X-Captured-At-Ms"));
    if (capturedMs - atMs > NEAR_MS) oldest.current = atMs;
    if (Math.abs(capturedMs - atMs) > NEAR_MS) return null;
    return { kind: "frame", url: URL.createObjectURL(await answer.blob()), atMs: capturedMs };
  } catch {
    return null; /* the next moment is asked for anew */
  }
}

async function clipAt(happened, atMs) {
  const event = await happened.withClip(atMs, NEAR_MS).catch(() => undefined);
  if (!event) return null;
  const { from_ms: fromMs, to_ms: toMs } = event.media.clip;
  const shownMs = Math.min(toMs, Math.max(fromMs, atMs));
  return { kind: "clip", event, seconds: (shownMs - fromMs) / 1000, atMs: shownMs };
}
