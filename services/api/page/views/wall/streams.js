/* The streams that the caller sees, as last read: a signal each, so that a tile is drawn anew only when its own has news.

   A few are read whole every time. Of many (more than FEW) those whose tiles are near are read every time, and all of them
   only so often that reading takes a twentieth of the time, or every other minute: 10,000 are ten pages. */
import { ask, pagesOf, session, written } from "../../lib/api.js";
import { now, present } from "../../lib/clock.js";
import { batch, computed, effect, signal } from "../../lib/html.js";
import { lookedAt } from "../../lib/standing.js";

export const EVERY_MS = 5000;
const FEW = 1000, PAGE = 1000, FIRST_PAGE = 100, SHARE = 20, LONGEST_MS = 120_000, AT_ONCE = 64, STALE_MS = 20_000;

/* Moves when any stream has news, comes or goes; 0 until the first page is there. */
export const changes = signal(0);

/* The streams whose tiles are near what is seen. */
export const near = new Set();

const streams = new Map(); /* id → {news: signal of its standing, seen} */
let readAt = -Infinity, tookMs = 0;
const hasFailed = signal(false), heardAt = signal(0);

/* All standings that are known, without following them: `changes` tells when to look again. */
export const standings = () => [...streams.values()].map((each) => each.news.peek());

/* The signal of a stream's standing. */
export const newsOf = (id) => streams.get(id)?.news;

/* Whether what is known is not so fresh that it can be taken for what is so. */
export const isStale = computed(() => {
  now.value;
  return hasFailed.value || performance.now() - heardAt.value > STALE_MS;
});

/* Has the next read be one of all: somebody comes to look. */
export function beginAnew() {
  readAt = -Infinity;
  heardAt.value = performance.now();
}

/* What this page has changed shows without waiting for a read. */
effect(() => {
  const change = written.value;
  if (change) queueMicrotask(() => takeChange(change));
});

function takeChange({ method, path, body }) {
  const id = path.match(/^\/v1\/streams\/([^/]+)$/)?.[1];
  if (!id || !changes.peek()) return;
  if (method !== "DELETE") { if (body?.state) take([body], new Set()); }
  else if (streams.delete(decodeURIComponent(id))) changes.value += 1;
}

/* What one key sees is nothing for the next. */
effect(() => { if (!session.value) { streams.clear(); near.clear(); readAt = -Infinity; changes.value = 0; } });

/* Reads what is due; for useRead. */
export async function read(abort) {
  try {
    await readDue(abort);
    hasFailed.value = false;
    return true;
  } catch (problem) {
    if (!abort.aborted) hasFailed.value = true;
    throw problem;
  }
}

async function readDue(abort) {
  const isDue = streams.size <= FEW || performance.now() - readAt > Math.min(LONGEST_MS, SHARE * tookMs);
  if (isDue || !(await readNear(abort))) await readAll(abort);
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
  heardAt.value = performance.now();
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
