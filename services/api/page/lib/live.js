/* The live feed: open events of all streams as they are now, and everybody who wants to hear of changes. */
import { ask, pagesOf, session, socketAddress, trouble } from "./api.js";
import { batch, computed, effect, signal } from "./html.js";

/* Open events by id. A new Map with every change. */
export const open = signal(new Map());

export const isAlert = (event) => event.severity === "alert";

/* How many alerts are open. */
export const numAlerts = computed(() => [...open.value.values()].filter(isAlert).length);

/* "following", "connecting", or "full" (the api has no place for one more). */
export const standing = signal("connecting");

const hearers = new Set();
const FIRST_MS = 1000, LONGEST_MS = 8000, NO_PLACE = 1013;
let source = null, again = null, waits = FIRST_MS, hasMissed = false, reading = new AbortController();

/* Calls `hear(kind, event)` for opened, closed, updated, deleted, reviewed, and ("gap", null) when some may be missed.
   Returns what ends it. */
export function follow(hear) {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

/* What a key has reviewed the feed tells nobody: the browser's tabs tell each other, ("reviewed", {ids, reviewed}). */
const tabs = new BroadcastChannel("reviewed");
tabs.onmessage = ({ data }) => { if (data.key === session.value?.key_id) tell("reviewed", data); };
export function tellReviewed(ids, reviewed) {
  const told = { key: session.value?.key_id, ids, reviewed };
  tabs.postMessage(told);
  tell("reviewed", told);
}

/* The labels whose events are open, by stream. */
export function openLabels(events) {
  const labels = new Map();
  for (const event of events.values()) labels.set(event.stream_id, [...(labels.get(event.stream_id) ?? []), event]);
  return labels;
}

/* Follows while somebody is logged in; what one key sees is nothing for the next. */
effect(() => {
  if (session.value) begin();
  else { end(); hasMissed = false; open.value = new Map(); }
});

/* A socket, not server-sent events: of those a browser has six connections to a host, over all of its tabs. */
function begin() {
  end();
  const mine = source = new WebSocket(socketAddress("/v1/events/live"));
  let isFollowing = false;
  mine.onmessage = ({ data }) => {
    if (source !== mine) return;
    const { kind, data: event } = JSON.parse(data);
    if (!isFollowing) {
      isFollowing = true;
      batch(() => { standing.value = "following"; trouble.value = null; });
      waits = FIRST_MS;
      reread();
    }
    if (kind === "gap") reread();
    if (kind === "gap" || hasMissed) { hasMissed = false; tell("gap", null); }
    if (event) take(kind, event);
  };
  mine.onclose = ({ code }) => {
    if (source !== mine) return;
    standing.value = code === NO_PLACE ? "full" : "connecting";
    later();
  };
}

function end() {
  clearTimeout(again);
  reading.abort();
  const mine = source;
  source = null;
  if (mine?.readyState === WebSocket.CONNECTING) mine.onopen = () => mine.close(); /* sooner, the browser calls it a failure */
  else mine?.close();
}

/* Again after a while; what happens until then is read anew. A session that has ended shows when it is asked for. */
function later() {
  end();
  hasMissed = true;
  waits = Math.min(LONGEST_MS, waits * 2);
  again = setTimeout(async () => {
    try {
      await ask("GET", "/v1/session");
      begin();
    } catch (problem) {
      if (problem.status !== 401) later();
    }
  }, waits * (0.5 + Math.random() / 2));
}

async function reread() {
  const found = new Map();
  reading.abort();
  const { signal: mine } = (reading = new AbortController());
  try {
    for await (const items of pagesOf("/v1/events", { state: "open", limit: 500 }, mine)) {
      for (const event of items) found.set(event.id, event);
    }
    open.value = found;
  } catch { /* the next connection reads anew */ }
}

function take(kind, event) {
  const isOpen = kind !== "deleted" && event.state === "open";
  if (isOpen || open.value.has(event.id)) {
    const next = new Map(open.value);
    if (isOpen) next.set(event.id, event);
    else next.delete(event.id);
    open.value = next;
  }
  tell(kind, event);
}

function tell(kind, event) {
  for (const hear of hearers) hear(kind, event);
}
