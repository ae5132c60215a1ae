/* The filters of the review: as they stand in the address, and as the api takes them. */
import { present } from "../../lib/clock.js";

/* Those that may be given several times. */
export const LISTS = ["group", "stream", "label"];
const TIME = /^\d{1,15}$/;
/* The others, by what may stand there. */
const SINGLE = {
  severity: /^(alert|notice|all)$/, state: /^(open|closed)$/, feedback: /^(none|right|wrong)$/, reviewed: /^(yes|no|true|false)$/,
  text: /^.{1,200}$/, last: /^[1-9]\d{0,9}$/, since: TIME, until: TIME,
};

/* Seconds back, by the name of the words for it. */
export const SPANS = { reviewLastHour: 3600, reviewLast8Hours: 28_800, reviewLastDay: 86_400, reviewLastWeek: 604_800 };

/* What an address's query holds of them; what is none of them, or cannot be read, is passed over. */
export function filtersOf(search) {
  const filters = {};
  for (const name of LISTS) filters[name] = [...new Set(search.getAll(name).filter(Boolean))];
  for (const [name, allowed] of Object.entries(SINGLE)) filters[name] = allowed.test(search.get(name) ?? "") ? search.get(name) : null;
  return filters;
}

/* "alert", "notice" or "all". */
export const kindOf = (filters) => (["notice", "all"].includes(filters.severity) ? filters.severity : "alert");

/* The query of GET /v1/events. A span of time that ends now is counted back from now. */
export function asked(filters) {
  const kind = kindOf(filters), last = Number(filters.last);
  return {
    stream_id: filters.stream,
    group: filters.group,
    label: filters.label,
    state: filters.state,
    severity: kind === "all" ? null : kind,
    feedback: filters.feedback,
    reviewed: { yes: "true", no: "false" }[filters.reviewed] ?? filters.reviewed,
    text: filters.text,
    since_ms: last > 0 ? Math.round(present() - last * 1000) : filters.since,
    until_ms: filters.until,
  };
}

/* Whether any filter but alerts or notices is set. */
export const isNarrowed = (filters) => (
  LISTS.some((name) => filters[name].length) || Object.keys(SINGLE).some((name) => name !== "severity" && filters[name])
);

/* Whether an event that was told live may be one of them; what it cannot tell, the api is asked. */
export function mayFit(event, filters) {
  const kind = kindOf(filters);
  return (kind === "all" || event.severity === kind)
    && (!filters.stream.length || filters.stream.includes(event.stream_id))
    && (!filters.label.length || filters.label.includes(event.label));
}

/* A time as an input of the kind datetime-local has it, and back; null for none. */
export function localOf(ms) {
  if (!ms) return "";
  const at = new Date(Number(ms));
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
export const msOf = (local) => (local ? new Date(local).getTime() || null : null);
