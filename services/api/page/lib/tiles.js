/* Pictures of streams, all over one socket: whoever shows a stream says how many a second it wants. Of more than the api
   gives on one socket, those that want less than one a second take turns. */
import { session, socketAddress } from "./api.js";
import { effect } from "./html.js";

const MAX_STREAMS = 64;
const GATHER_MS = 60;
const TURN_MS = 5000;
const LONGEST_MS = 15_000;
const watchers = new Map(); /* stream id → Set of {fps, show} */
let socket = null, asked = "", gathering = null, again = null, waits = 500, turn = 0, turning = null;

/* Calls `show({id, at_ms, open, scores_at_ms, scores}, jpegBlob)` for the stream's newest pictures, at most `fps` a
   second; the same watcher may be asked to change its rate. Returns {rate(fps), stop()}. */
export function watch(streamId, fps, show) {
  const watcher = { fps, show };
  const all = watchers.get(streamId) ?? new Set();
  watchers.set(streamId, all.add(watcher));
  gather();
  return {
    rate(value) { if (watcher.fps !== value) { watcher.fps = value; gather(); } },
    stop() {
      all.delete(watcher);
      if (!all.size && watchers.get(streamId) === all) watchers.delete(streamId);
      gather();
    },
  };
}

effect(() => { if (!session.value) close(); else gather(); });
addEventListener("visibilitychange", gather); /* a tab that nobody sees asks for nothing */

function gather() {
  gathering ??= setTimeout(() => { gathering = null; say(); }, GATHER_MS);
}

function wanted() {
  if (document.hidden) return {};
  const rates = [...watchers].map(([id, all]) => [id, Math.max(...[...all].map((each) => each.fps))]);
  return Object.fromEntries(rates.length > MAX_STREAMS ? inTurns(rates) : rates);
}

function inTurns(rates) {
  const eager = rates.filter(([, fps]) => fps >= 1).sort((a, b) => b[1] - a[1]).slice(0, MAX_STREAMS);
  const others = rates.filter(([, fps]) => fps < 1), room = Math.min(others.length, MAX_STREAMS - eager.length);
  const first = others.length ? (turn * room) % others.length : 0;
  turning ??= setTimeout(() => { turning = null; turn += 1; say(); }, TURN_MS);
  return [...eager, ...[...others, ...others].slice(first, first + room)];
}

function say() {
  const streams = wanted();
  if (!session.value || (!socket && !Object.keys(streams).length)) return;
  if (!socket) { connect(); return; }
  const text = JSON.stringify({ streams });
  if (socket.readyState === WebSocket.OPEN && text !== asked) socket.send((asked = text));
}

function connect() {
  clearTimeout(again);
  const mine = socket = new WebSocket(socketAddress("/v1/live"));
  asked = "";
  mine.binaryType = "arraybuffer";
  mine.onopen = () => { waits = 500; say(); };
  mine.onmessage = ({ data }) => take(data);
  mine.onclose = () => {
    if (socket !== mine) return;
    socket = null;
    if (session.value) again = setTimeout(say, (waits = Math.min(LONGEST_MS, waits * 2)) * (0.5 + Math.random() / 2));
  };
}

function close() {
  clearTimeout(again);
  const mine = socket;
  socket = null;
  mine?.close();
}

function take(data) {
  if (!(data instanceof ArrayBuffer)) return;
  const length = new DataView(data).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const jpeg = new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" });
  for (const watcher of watchers.get(head.id) ?? []) watcher.show(head, jpeg);
}
