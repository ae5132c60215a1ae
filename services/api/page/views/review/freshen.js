/* Pictures and clips come after their events: what is looked at and not whole yet is asked for again, all in one request. */
import { ask } from "../../lib/api.js";
import { present } from "../../lib/clock.js";

const TICK_MS = 3000, SLOW_TICKS = 7;
const SOON_MS = 90_000;
const MOST = 100;

/* Whether more is to come of an event's pictures and clip: "soon", "later", or false. */
export function isComing(event) {
  const age = present() - (event.ended_at_ms ?? event.started_at_ms);
  if (!event.media) return age < SOON_MS ? "soon" : false;
  if (event.media.state !== "recording") return false;
  return !event.media.recorded_at_ms && age < SOON_MS ? "soon" : "later";
}

/* Keeps a list's seen events fresh; what it gives ends that. `list.seen` holds the ids of those that are drawn. */
export function freshened(list) {
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
    if (document.hidden) return;
    const due = [...(list.seen ?? [])].map((id) => list.known.get(id)).filter(Boolean)
      .filter((event) => { const coming = isComing(event); return coming === "soon" || (coming && ticks % SLOW_TICKS === 0); });
    if (due.length) read(list, due.slice(0, MOST)).catch(() => {}); /* the next tick asks anew */
  }, TICK_MS);
  return () => clearInterval(timer);
}

async function read(list, due) {
  const starts = due.map((event) => event.started_at_ms), ids = new Set(due.map((event) => event.id));
  const query = {
    stream_id: [...new Set(due.map((event) => event.stream_id))], label: [...new Set(due.map((event) => event.label))],
    since_ms: Math.min(...starts), until_ms: Math.max(...starts) + 1, limit: 500,
  };
  const page = await ask("GET", "/v1/events", { query, abort: list.abort.signal });
  page.items.filter((event) => ids.has(event.id)).forEach((event) => list.put(event));
}
