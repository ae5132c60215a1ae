/* The wall: every stream that the caller sees, as a tile. */
import { may, session } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { html, useComputed, useEffect, useId, useMemo, useRef, useState } from "../../lib/html.js";
import { numAlerts } from "../../lib/live.js";
import { to } from "../../lib/router.js";
import { STATES } from "../../lib/standing.js";
import { text } from "../../lib/strings.js";
import { Empty, isSaid, Loading, Trouble } from "../../lib/ui.js";
import { useKeys, useNear, useRead } from "../../lib/use.js";
import { labelsOpen } from "./opened.js";
import { ALERT, groups, hold, ORDERS, shown, SIZES, TROUBLE, want, wantAll, wanted } from "./selection.js";
import { beginAnew, changes, EVERY_MS, isStale, newsOf, read, standings } from "./streams.js";
import { Tile } from "./tile.js";
import "./words.js";

/* So many tiles are drawn at once; more as one comes to them. */
const STEP = 300;

export function Wall() {
  useEffect(beginAnew, []);
  const { problem, again } = useRead(read, [], EVERY_MS);
  const tiles = useMemo(() => html`<${Streams} />`, []); /* not drawn anew with each read */
  return html`<h1 class="wall-title">${text("wall")}</h1>
    ${changes.value === 0 ? (problem && !isSaid(problem) ? html`<${Trouble} problem=${problem} again=${again} />` : html`<${Loading} />`) : html`
      ${problem && !isSaid(problem) && html`<${Trouble} problem=${problem} again=${again} />`}
      ${standings().length ? tiles : html`<${None} />`}`}`;
}

const Streams = () => html`<${Summary} /><${Bar} /><${Tiles} />`;

function Tiles() {
  const sections = JSON.parse(shown.value);
  const [limit, setLimit] = useState(STEP);
  useEffect(() => setLimit(STEP), [wanted.value]);
  const total = sections.reduce((sum, [, ids]) => sum + ids.length, 0);
  if (!total) {
    return html`<${Empty}><p>${text("wallNoneFits")}</p><p><button type="button" onClick=${wantAll}>${text("wallAll")}</button></p><//>`;
  }
  let room = limit;
  const parts = sections.map(([heading, ids]) => {
    const part = ids.slice(0, room);
    room -= part.length;
    return part.length > 0 && html`<${Section} key=${heading ?? ""} heading=${heading} number=${ids.length} ids=${part} />`;
  });
  return html`<div class=${`wall ${wanted.value.size}`} onPointerMove=${hold} onKeyDown=${step}>
    ${parts}
    ${total > limit && html`<${More} number=${Math.min(STEP, total - limit)} more=${() => setLimit(limit + STEP)} />`}
  </div>`;
}

/* Arrow keys lead from tile to tile: up and down to the nearest of the next row. */
function step(event) {
  hold();
  const side = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key], own = event.target.closest(".cell");
  if (!side || !own || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const cells = [...event.currentTarget.querySelectorAll(".cell")], at = cells.indexOf(own);
  const others = side > 0 ? cells.slice(at + 1) : cells.slice(0, at).reverse();
  const next = /Up|Down/.test(event.key) ? nearestOfNextRow(own, others) : others[0];
  event.preventDefault();
  next?.querySelector("a").focus();
}

function nearestOfNextRow(own, others) {
  const boxOf = (cell) => cell.getBoundingClientRect(), { top, left } = boxOf(own);
  const first = others.find((cell) => boxOf(cell).top !== top), far = (cell) => Math.abs(boxOf(cell).left - left);
  return first && others.filter((cell) => boxOf(cell).top === boxOf(first).top).sort((a, b) => far(a) - far(b))[0];
}

function Section({ heading, number, ids }) {
  return html`<section>
    ${heading !== null && html`<h2><bdi>${heading}</bdi> <span class="faint small">${numberOf(number)}</span></h2>`}
    <ul class="tiles" role="list">${ids.map((id) => newsOf(id) && html`<${Tile} key=${id} news=${newsOf(id)} />`)}</ul>
  </section>`;
}

function More({ number, more }) {
  const [ref, isNear] = useNear("800px");
  useEffect(() => { if (isNear) more(); }, [isNear, number, more]);
  return html`<p class="empty" ref=${ref}><button type="button" onClick=${more}>${text("wallMore", numberOf(number))}</button></p>`;
}

function None() {
  const { groups } = session.value;
  if (may("operator") && !groups.length) {
    return html`<${Empty}><p>${text("wallEmpty")}</p><p><a class="button main" href=${to(["add"])}>${text("wallAddFirst")}</a></p><//>`;
  }
  return html`<${Empty}>
    <p>${groups.length ? text("wallNoneOfGroups", groups.join(", ")) : text("wallNoneForKey")}</p>
    ${may("operator") && html`<p><a class="button main" href=${to(["add"])}>${text("wallAddFirst")}</a></p>`}
  <//>`;
}

/* What stands above the tiles: how many streams there are and stand how, and what is looked for. */
const TYPING_MS = 150;

/* Each figure is a button that shows those alone, and pressed again all. */
function Summary() {
  const counted = JSON.parse(useComputed(() => JSON.stringify(count())).value);
  const { state, label } = wanted.value, alerts = numAlerts.value;
  const only = (name, value, isOn) => () => want({ [name]: isOn ? "" : value });
  const figure = (words, tone, name, value, isOn) => html`<button type="button" class=${`quiet ${tone}`} aria-pressed=${isOn}
    onClick=${only(name, value, isOn)}>${words}</button>`;
  return html`<div class="summary">
    <button type="button" class="quiet" onClick=${wantAll}>${many("wallStream", "wallStreams", counted.all)}</button>
    ${figure(text(isStale.value ? "wallNumWereLive" : "wallNumLive", numberOf(counted.live)), isStale.value ? "faint" : "good", "state", "live", state === "live")}
    ${figure(text("wallNumTroubled", numberOf(counted.troubled)), counted.troubled ? "bad" : "faint", "state", TROUBLE, state === TROUBLE)}
    ${figure(many("wallNumAlert", "wallNumAlerts", alerts), alerts ? "bad" : "faint", "label", ALERT, label === ALERT)}
  </div>`;
}

const many = (one, more, number) => text(number === 1 ? one : more, numberOf(number));

function count() {
  changes.value;
  const all = standings();
  return { all: all.length, live: all.filter(({ state }) => state === "live").length, troubled: all.filter(({ isTroubled }) => isTroubled).length };
}

/* On a phone all but the search are behind a button. */
function Bar() {
  const [isOpen, setOpen] = useState(false);
  const { state, label, group, order, size } = wanted.value;
  const labels = [...new Set([...labelsOpen.value, ...(label && label !== ALERT ? [label] : [])])];
  const inGroups = [...new Set([...groups.value, ...(group ? [group] : [])])];
  return html`<div class="bar wall-bar" role="search">
    <${Search} />
    <button type="button" class="filters" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${text("wallFilters")}</button>
    <div class=${`bar choices ${isOpen ? "" : "closed"}`}>
      <${Choice} name="state" words="wallState" value=${state}
        choices=${[["", text("wallEveryState")], [TROUBLE, text("wallTrouble")], ...STATES.map((each) => [each, text(`stands_${each}`)])]} />
      <${Choice} name="label" words="wallLabel" value=${label}
        choices=${[["", text("wallAnyOrNone")], [ALERT, text("wallAnyAlert")], ...labels.map((each) => [each, each])]} />
      ${inGroups.length > 0 && html`<${Choice} name="group" words="wallGroup" value=${group}
        choices=${[["", text("wallEveryGroup")], ...inGroups.map((each) => [each, each])]} />`}
      <${Choice} name="order" words="wallOrder" value=${order} choices=${named(ORDERS, ["wallByName", "wallByAttention", "wallByGroup"])} />
      <${Choice} name="size" words="wallSize" value=${size} choices=${named(SIZES, ["wallSmall", "wallMiddle", "wallLarge"])} />
    </div>
  </div>`;
}

const named = (values, words) => values.map((value, at) => [value, text(words[at])]);

function Choice({ name, words, value, choices }) {
  const id = useId();
  return html`<div class="choice"><label for=${id}>${text(words)}</label>
    <select id=${id} name=${name} value=${value} onChange=${(event) => want({ [name]: event.target.value })}>
      ${choices.map(([each, shown]) => html`<option key=${each} value=${each} selected=${each === value}>${shown}</option>`)}
    </select></div>`;
}

/* What is typed narrows the tiles a moment later; "/" leads here. */
function Search() {
  const id = useId(), input = useRef(null), timer = useRef(null);
  const [typed, setTyped] = useState(wanted.value.text);
  useEffect(() => setTyped(wanted.value.text), [wanted.value.text]);
  useEffect(() => () => clearTimeout(timer.current), []);
  useKeys({ "/": () => input.current.focus() });
  const type = (event) => {
    const value = event.target.value;
    setTyped(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => want({ text: value.trim() }), TYPING_MS);
  };
  return html`<div class="choice grow"><label for=${id}>${text("wallSearch")}</label>
    <input id=${id} ref=${input} type="search" name="text" maxlength="200" placeholder=${text("wallSearchHint")} value=${typed} onInput=${type} /></div>`;
}
