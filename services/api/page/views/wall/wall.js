/* The wall: every stream that the caller sees, as a tile. */
import { may, session } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { html, useEffect, useMemo, useState } from "../../lib/html.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { Empty, isSaid, Loading, Trouble } from "../../lib/ui.js";
import { useNear, useRead } from "../../lib/use.js";
import { Bar, Summary } from "./bar.js";
import { hold, shown, wantAll, wanted } from "./selection.js";
import { beginAnew, changes, EVERY_MS, newsOf, read, standings } from "./streams.js";
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
