/* The events before and after one, among those of some filters. */
import { ask } from "../../lib/api.js";
import { present } from "../../lib/clock.js";
import { asked } from "./query.js";

const FIRST_MS = 60_000, WIDER = 8, MOST = 500;

/* {older, newer} of an event; null where there is none. */
export async function neighbours(event, filters, abort) {
  const query = asked(filters), read = (more) => ask("GET", "/v1/events", { query: { ...query, ...more }, abort });
  const [older, newer] = await Promise.all([olderThan(event, query, read), newerThan(event, query, read)]);
  return { older, newer };
}

/* The list is newest first, so what comes right after the event in it is the older one. */
async function olderThan(event, query, read) {
  let cursor = null;
  do {
    const until = Math.min(event.started_at_ms + 1, Number(query.until_ms) || Infinity);
    const page = await read({ until_ms: until, limit: 10, cursor });
    const found = page.items.find((each) => comesAfter(each, event));
    if (found) return found;
    cursor = page.next;
  } while (cursor);
  return null;
}

/* The nearest that is newer is the last of its page: so the span is widened only until it holds one. */
async function newerThan(event, query, read) {
  const start = event.started_at_ms, end = Math.min(present() + 1000, Number(query.until_ms) || Infinity);
  for (let spanMs = FIRST_MS, from = start; from < end; spanMs *= WIDER) {
    let cursor = null, nearest = null;
    do {
      const page = await read({ since_ms: from, until_ms: Math.min(end, start + spanMs), limit: MOST, cursor });
      nearest = page.items.filter((each) => comesAfter(event, each)).at(-1) ?? nearest;
      cursor = page.next;
    } while (cursor);
    if (nearest) return nearest;
    from = start + spanMs;
  }
  return null;
}

/* Whether one comes after another in a list that is newest first. */
function comesAfter(one, other) {
  return one.started_at_ms === other.started_at_ms ? one.id < other.id : one.started_at_ms < other.started_at_ms;
}
