/* Times: the server's clock beside the viewer's, and how times and numbers are written. */
import { signal } from "./html.js";
import { text } from "./strings.js";

/* How far the viewer's clock is behind the api's, in ms, to a second; 0 until an answer has told. */
export const behindMs = signal(0);

/* The present by the api's clock, in ms; moves once a second, for ages that are shown. */
export const now = signal(Date.now());
setInterval(() => { now.value = present(); }, 1000);

/* The present by the api's clock, in ms. */
export const present = () => Date.now() + behindMs.value;

/* Takes in what the head of an answer says of the time; a head is cut to the second, so less than two is none. */
export function heard(date, sentAt) {
  const told = Date.parse(date ?? "");
  if (Number.isNaN(told)) return;
  const difference = told + 500 - (sentAt + Date.now()) / 2;
  behindMs.value = Math.abs(difference) < 2000 ? 0 : Math.round(difference);
}

const DAY_TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const isToday = (ms) => new Date(ms).toDateString() === new Date(present()).toDateString();

/* A time in the viewer's zone; of another day with its date. */
export const timeOf = (ms) => (isToday(ms) ? DAY_TIME : DATE_TIME).format(ms);

/* The same in full, with the zone of a camera's schedule, if it has one: what is shown while the pointer rests on it. */
export function timeInFull(ms, zone = null) {
  const inZone = (timeZone) => new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long", timeZone }).format(ms);
  return zone ? `${inZone(undefined)}\n${inZone(zone)} (${zone})` : inZone(undefined);
}

/* How long something lasts: 0.4 s, 12 s, 3 min, 5 h, 2 d. */
export function durationOf(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 10) return text("seconds", seconds.toFixed(1));
  if (seconds < 120) return text("seconds", Math.round(seconds));
  if (seconds < 7200) return text("minutes", Math.round(seconds / 60));
  if (seconds < 172800) return text("hours", Math.round(seconds / 3600));
  return text("days", Math.round(seconds / 86400));
}

/* Bytes with their unit. */
export function bytesOf(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 1000 && at < units.length - 1) { bytes /= 1000; at += 1; }
  return `${bytes.toLocaleString(undefined, { maximumFractionDigits: bytes < 10 && at ? 1 : 0 })} ${units[at]}`;
}

/* A number as the viewer writes them. */
export const numberOf = (value, digits = 0) => value.toLocaleString(undefined, { maximumFractionDigits: digits });
