/* The review: what has happened, open events first, to be looked at, judged and left behind. */
import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { numberOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { Empty, Loading, Trouble } from "../../lib/ui.js";
import { Bulk } from "./bulk.js";
import { Card, placeOf } from "./card.js";
import { Export, Filters, Kinds } from "./filters.js";
import { Grid } from "./grid.js";
import { KeysHelp, useReviewKeys } from "./keys.js";
import { EventList } from "./list.js";
import { filtersOf, isNarrowed } from "./query.js";
import { Room } from "./room.js";
import "./event_words.js";
import "./words.js";

const TOP_PX = 80;
const READING_MS = 30_000;

export function Review({ query }) {
  const filters = filtersOf(query), key = JSON.stringify(filters);
  const [turn, setTurn] = useState(0);
  const [isHelped, help] = useState(false);
  const search = useRef(query);
  search.current = query;
  const room = useMemo(() => new Room(new EventList(filters), (event) => placeOf(event, search.current)), [key, turn]);
  useEffect(() => {
    const [isTouched, letGo] = watchHands(READING_MS);
    room.list.isRead = () => scrollY >= TOP_PX || room.chosen.peek().size > 0 || room.playing.peek() !== null || isTouched();
    const close = room.list.open();
    return () => { letGo(); close(); };
  }, [room]);
  return html`<div class="review">
    <div class="review-bar">
      <div class="bar"><${Kinds} filters=${filters} turn=${`${turn} ${room.list.changes.value}`} /><span class="grow"></span>
        <${Export} filters=${filters} />
        <button type="button" class="quiet" onClick=${() => help(true)} aria-label=${text("reviewKeysTitle")}><kbd>${text("reviewKeysShort")}</kbd> ${text("reviewKeys")}</button></div>
      <${Bulk} room=${room}><${News} list=${room.list} /><//>
    </div>
    <${Filters} filters=${filters} />
    <${Events} key=${`${key} ${turn}`} room=${room} isNarrowed=${isNarrowed(filters)} showHelp=${() => help(true)} again=${() => setTurn(turn + 1)} />
    ${isHelped && html`<${KeysHelp} onClose=${() => help(false)} />`}
  </div>`;
}

/* Whether a pointer on the events, or a key, has moved in the last `restMs`; and what ends the watch. */
function watchHands(restMs) {
  let touchedAt = -Infinity;
  const hear = ({ type, target }) => { touchedAt = type === "keydown" || target.closest?.(".grid") ? performance.now() : -Infinity; };
  const kinds = ["pointermove", "pointerdown", "keydown"];
  kinds.forEach((kind) => addEventListener(kind, hear, { passive: true }));
  return [() => performance.now() - touchedAt < restMs, () => kinds.forEach((kind) => removeEventListener(kind, hear))];
}

/* What has come while somebody reads. */
function News({ list }) {
  const num = list.news.value.length;
  const show = () => { list.showNews(); scrollTo(0, 0); };
  return html`<div aria-live="polite">${num > 0 && html`<button type="button" class="main news" onClick=${show}>
    ${num === 1 ? text("reviewNewOne") : text("reviewNewMany", numberOf(num))}</button>`}</div>`;
}

function Events({ room, isNarrowed: isFew, showHelp, again }) {
  const { list } = room, hand = useRef({ columns: 1, reveal() {} });
  const items = list.items.value, problem = list.problem.value, isLoading = list.isLoading.value, isWhole = list.isWhole.value;
  useReviewKeys(room, hand, showHelp);
  const retry = () => ([400, 404, 422].includes(problem.status) ? again() : list.more());
  return html`
    <${Trouble} problem=${problem} again=${retry} />
    <${Grid} items=${items} hand=${hand} label=${text("reviewEvents")} isBusy=${isLoading} onNearEnd=${() => !list.problem.peek() && list.more()}
      onDrawn=${(drawn) => { list.seen = new Set(drawn.map((event) => event.id)); }}
      draw=${(event, at) => html`<${Card} key=${event.id} event=${event} at=${at} room=${room} />`} />
    ${!items.length && isLoading && html`<${Loading} />`}
    ${!items.length && isWhole && html`<${Empty}>${text(isFew ? "reviewEmpty" : "reviewEmptyAtAll")}<//>`}
    ${items.length > 0 && html`<p class="ending faint small">${isLoading ? text("reviewLoadingMore") : isWhole ? text("reviewWhole", numberOf(items.length)) : ""}</p>`}`;
}
