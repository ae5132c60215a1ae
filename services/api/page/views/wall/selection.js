/* Which tiles are shown, and in which order: as the address's query says. */
import { computed, signal } from "../../lib/html.js";
import { narrow, route } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { openedOn } from "./opened.js";
import { changes, standings } from "./streams.js";

export const ORDERS = ["name", "attention", "group"];
export const SIZES = ["small", "middle", "large"];
export const TROUBLE = "trouble", ALERT = "*";
const HELD_MS = 4000;

/* {text, state, label, group, order, size}; "" is whatever it is. */
export const wanted = computed(() => {
  const of = (name) => route.value.query.get(name) ?? "";
  const among = (values, value, usual) => (values.includes(value) ? value : usual);
  return {
    text: of("text"), state: of("state"), label: of("label"), group: of("group"),
    order: among(ORDERS, of("order"), "name"), size: among(SIZES, of("size"), "middle"),
  };
});

/* Wants something else, in the address too; what is usual does not stand there. */
export function want(changed) {
  const next = { ...wanted.value, ...changed };
  narrow({ ...next, order: next.order === "name" ? "" : next.order, size: next.size === "middle" ? "" : next.size });
}

/* Wants every stream. */
export const wantAll = () => want({ text: "", state: "", label: "", group: "" });

/* All groups, in order. */
export const groups = computed(() => {
  changes.value;
  return [...new Set(standings().flatMap((each) => each.groups))].sort((a, b) => a.localeCompare(b));
});

/* Somebody is about to press a tile: it stays where it is for a while. */
const isHeld = signal(false);
let holding = null;
export function hold() {
  clearTimeout(holding);
  isHeld.value = true;
  holding = setTimeout(() => { isHeld.value = false; }, HELD_MS);
}

/* [[heading or null, [stream id]]], as text, which is equal where nothing has changed. */
export const shown = computed(() => {
  changes.value;
  const now = sections(standings().filter(fits), wanted.value.order);
  last = isHeld.value && haveSame(last, now) ? last : now;
  return JSON.stringify(last);
});
let last = [];

function fits(each) {
  const { text: sought, state, label, group } = wanted.value;
  if (sought && !each.words.includes(sought.toLowerCase())) return false;
  if (state && !(state === TROUBLE ? each.isTroubled : each.state === state)) return false;
  if (group && !each.groups.includes(group)) return false;
  return !label || openedOn(each.id).some((open) => (label === ALERT ? open.isAlert : open.label === label));
}

function sections(found, order) {
  const byName = (a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1);
  if (order === "group") return grouped(found.sort(byName));
  if (order === "attention") {
    const ranks = new Map(found.map((each) => [each.id, rankOf(each)]));
    return [[null, found.sort((a, b) => ranks.get(a.id) - ranks.get(b.id) || byName(a, b)).map(({ id }) => id)]];
  }
  return [[null, found.sort(byName).map(({ id }) => id)]];
}

/* What needs somebody first. */
function rankOf(each) {
  const open = openedOn(each.id);
  if (open.some(({ isAlert }) => isAlert)) return each.isTroubled ? 0 : 1;
  if (each.isTroubled) return each.state === "failed" ? 2 : 3;
  if (open.length) return 4;
  return { pending: 5, connecting: 5, live: 6, ended: 7, paused: 8 }[each.state] ?? 6;
}

/* Under its first group each, those of none last. */
function grouped(found) {
  const byGroup = new Map(groups.value.map((name) => [name, []]));
  const others = [];
  for (const each of found) (byGroup.get(each.groups[0]) ?? others).push(each.id);
  return [...byGroup, [text("wallNoGroup"), others]].filter(([, ids]) => ids.length);
}

function haveSame(before, after) {
  const members = (each) => each.map(([heading, ids]) => [heading, [...ids].sort()]);
  return JSON.stringify(members(before)) === JSON.stringify(members(after));
}
