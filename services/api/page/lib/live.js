/* The live feed: open events of all streams as they are now, and everybody who wants to hear of changes. */
import { computed, signal, effect } from "./html.js";
import { address, ask, pagesOf, session, trouble } from "./api.js";

/* Open events by id. A new Map with every change. */
export const open = signal(new Map());

export const isAlert = (event) => event.severity === "alert";

/* How many alerts are open. */
export const numAlerts = computed(() => [...open.value.values()].filter(isAlert).length);

/* "following", "connecting", or "full" (the api has no place for one more). */
export const standing = signal("connecting");

const hearers = new Set();
const LONGEST_MS = 30_000;
let source = null, again = null, waits = 1000, reading = new AbortController();

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
  else { end(); open.value = new Map(); }
});

function begin() {
  end();
  source = new EventSource(address("/v1/events/live"));
  source.onopen = () => { standing.value = "following"; trouble.value = null; waits = 1000; reread(); };
  source.onerror = () => {
    standing.value = standing.value === "full" ? "full" : "connecting";
    if (source?.readyState === EventSource.CLOSED) later();
  };
  source.addEventListener("full", () => { standing.value = "full"; source.close(); later(); });
  source.addEventListener("gap", () => { reread(); tell("gap", null); });
  for (const kind of ["opened", "closed", "updated", "deleted"]) {
    source.addEventListener(kind, (message) => take(kind, JSON.parse(message.data)));
  }
}

function end() {
  clearTimeout(again);
  reading.abort();
  source?.close();
  source = null;
}

/* What a browser does not try again by itself. A session that has ended shows when it is asked for. */
function later() {
  end();
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
