/* Where a stream stands, told from what the api says of it now and said before: pure, one plain object, for its tile and
   its own page alike. */

export const STATES = ["live", "connecting", "waiting", "pending", "failed", "ended", "paused"];

/* Beside the word, so that nobody has to tell colours apart. */
export const SIGNS = { live: "●", connecting: "◐", waiting: "◔", pending: "○", failed: "✕", ended: "■", paused: "‖" };
export const TONES = { live: "good", connecting: "warn", waiting: "warn", pending: "faint", failed: "bad", ended: "faint", paused: "faint" };

const TAKEN_UP_MS = 15_000;
const LAG_MS = 30_000; /* who reads as fast as can be always has a full queue */

/* Whether it is a file, whose times are those of its recording: they say nothing of how old a picture is. */
export const isFile = (view) => view.duration_seconds !== null || !/^([a-z][a-z0-9+.-]*:\/\/|device:)/i.test(view.source);

/* {standing, seen}: what is shown of a stream, and what the next look is compared with. `before` is the `seen` of the
   last one, or undefined; times are the api's. */
export function lookedAt(view, before, nowMs) {
  const seen = seenOf(view, before, nowMs);
  const lagMs = (1000 * view.lag_frames) / view.fps;
  const standing = {
    id: view.id,
    name: view.name,
    groups: view.groups,
    words: [view.id, view.name, ...view.groups, ...view.tags].join("\n").toLowerCase(),
    state: view.state,
    reason: view.reason,
    isFile: isFile(view),
    maintenance: view.maintenance,
    fps: view.fps,
    looksAtFps: view.state === "live" ? seen.looksAtFps : null,
    lagFrames: view.state === "live" ? view.lag_frames : 0,
    lagMs: view.state === "live" ? lagMs : 0,
    nextAttemptAtMs: view.next_attempt_at_ms,
    silentSinceMs: silentSince(view, seen, nowMs),
    isBehind: view.state === "live" && view.pace === "live" && lagMs > LAG_MS,
    pendingSinceMs: view.state === "pending" && nowMs - seen.stateSinceMs > TAKEN_UP_MS ? seen.stateSinceMs : null,
  };
  return { standing: { ...standing, isTroubled: isTroubled(standing) }, seen };
}

function seenOf(view, before, nowMs) {
  const isSame = before?.state === view.state;
  const hasMoved = before?.lastFrameAtMs !== view.last_frame_at_ms;
  return {
    state: view.state,
    stateSinceMs: isSame ? before.stateSinceMs : nowMs,
    lastFrameAtMs: view.last_frame_at_ms,
    movedAtMs: hasMoved ? nowMs : before.movedAtMs,
    processed: view.frames_processed,
    atMs: nowMs,
    looksAtFps: isSame ? rateOf(view, before, nowMs) : null,
  };
}

/* Frames a second that inference has passed since the last look, smoothed; to a tenth. */
function rateOf(view, before, nowMs) {
  const seconds = (nowMs - before.atMs) / 1000, frames = view.frames_processed - before.processed;
  if (seconds < 1 || frames < 0) return before.looksAtFps;
  const rate = frames / seconds;
  return Math.round(10 * (before.looksAtFps === null ? rate : (rate + before.looksAtFps) / 2)) / 10;
}

/* Since when one that is live has given nothing; null where that is no wonder. A file's times are those of its recording,
   so there it counts whether they move. */
function silentSince(view, seen, nowMs) {
  if (view.state !== "live" || view.last_frame_at_ms === null) return null;
  const since = isFile(view) ? seen.movedAtMs : Math.min(view.last_frame_at_ms, nowMs);
  return nowMs - since > 1000 * (view.offline_seconds + 2 / view.fps) ? since : null;
}

/* Whether somebody should look after it. */
function isTroubled({ state, reason, nextAttemptAtMs, silentSinceMs, pendingSinceMs, isBehind }) {
  if (state === "failed" || state === "waiting") return true;
  if (state === "connecting" || state === "pending") return Boolean(reason || nextAttemptAtMs || pendingSinceMs);
  return state === "live" && Boolean(reason || silentSinceMs || isBehind);
}
