/* What is open on each stream, as the feed tells it; while it tells nothing, as the stream's last picture does. */
import { computed } from "../../lib/html.js";
import { isAlert, open, openLabels, standing } from "../../lib/live.js";

const byStream = computed(() => openLabels(open.value));

/* Every label with something open, in order. */
export const labelsOpen = computed(() => [...new Set([...open.value.values()].map((event) => event.label))].sort());

/* [{label, isAlert}] of a stream, alerts first. */
export function openedOn(id) {
  const found = new Map();
  for (const event of byStream.value.get(id) ?? []) found.set(event.label, found.get(event.label) || isAlert(event));
  return [...found].map(([label, isAlertToo]) => ({ label, isAlert: isAlertToo })).sort(
    (a, b) => b.isAlert - a.isAlert || (a.label < b.label ? -1 : 1));
}

/* The same as text, which is equal where nothing has changed; `picture` is the last one or null. */
export function openedText(id, picture) {
  const isTold = standing.value === "following" || !picture;
  return JSON.stringify(isTold ? openedOn(id) : picture.head.open.map((label) => ({ label, isAlert: true })));
}
