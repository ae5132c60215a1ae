/* The streams that the caller sees, as last read: a signal each, so that a tile is drawn anew only when its own has news.

   A few are read whole every time. Of many (more than FEW) those whose tiles are near are read every time, and all of them
   only so often that reading takes a twentieth of the time, or every other minute: 10,000 are ten pages. */
import { ask, pagesOf, session } from "../../lib/api.js";
import { present } from "../../lib/clock.js";
import { batch, effect, signal } from "../../lib/html.js";
import { lookedAt } from "./standing.js";

export const EVERY_MS = 5000;
const FEW = 1000, PAGE = 1000, FIRST_PAGE = 100, SHARE = 20, LONGEST_MS = 120_000, AT_ONCE = 64;

/* Moves when any stream has news, comes or goes; 0 until the first page is there. */
export const changes = signal(0);

/* The streams whose tiles are near what is seen. */
export const near = new Set();

const streams = new Map(); /* id → {news: signal of its standing, seen} */
let readAt = 0, tookMs = 0;

/* All standings that are known, without following them: `changes` tells when to look again. */
export const standings = () => [...streams.values()].map((each) => each.news.peek());

/* The signal of a stream's standing. */
export const newsOf = (id) => streams.get(id)?.news;

/* What one key sees is nothing for the next. */
effect(() => { if (!session.value) { streams.clear(); near.clear(); readAt = 0; changes.value = 0; } });

/* Reads what is due; for useRead. */
export async function read(abort) {
  const isDue = streams.size <= FEW || performance.now() - readAt > Math.min(LONGEST_MS, SHARE * tookMs);
  if (isDue || !(await readNear(abort))) await readAll(abort);
  return true;
}

async function readAll(abort) {
  const startedAt = performance.now(), found = new Set();
  const isFirst = !streams.size;
  const first = isFirst ? await ask("GET", "/v1/streams", { query: { limit: FIRST_PAGE }, abort }) : null;
  if (first) take(first.items, found);
  if (!first || first.next) {
    for await (const items of pagesOf("/v1/streams", { limit: PAGE, cursor: first?.next }, abort)) take(items, found);
  }
  const gone = [...streams.keys()].filter((id) => !found.has(id));
  for (const id of gone) streams.delete(id);
  if (gone.length || !changes.peek()) changes.value += 1;
  readAt = performance.now();
  tookMs = readAt - startedAt;
}

/* Whether those that are near are all still there. */
async function readNear(abort) {
  if (!near.size) return true;
  try {
    const page = await ask("GET", "/v1/streams", { query: { stream_id: [...near].slice(0, AT_ONCE), limit: AT_ONCE }, abort });
    take(page.items, new Set());
    return true;
  } catch (problem) {
    if (problem.status === 404) return false;
    throw problem;
  }
}

function take(items, found) {
  const nowMs = present();
  let hasNews = false;
  batch(() => {
    for (const view of items) {
      found.add(view.id);
      hasNews = takeOne(view, nowMs) || hasNews;
    }
    if (hasNews) changes.value += 1;
  });
}

function takeOne(view, nowMs) {
  const known = streams.get(view.id);
  const { standing, seen } = lookedAt(view, known?.seen, nowMs);
  if (!known) {
    streams.set(view.id, { news: signal(standing), seen });
    return true;
  }
  known.seen = seen;
  if (JSON.stringify(standing) === JSON.stringify(known.news.peek())) return false;
  known.news.value = standing;
  return true;
}
