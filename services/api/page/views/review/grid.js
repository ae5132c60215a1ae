/* A grid of which only what is near the window is drawn, however many events there are: rows of one height. */
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../lib/html.js";

const WIDEST_PX = 330, GAP_PX = 12, WORDS_PX = 104;
const SPARE_ROWS = 2, MORE_ROWS = 4;

/* `draw(item, at)` gives a card; `onNearEnd` is called when the last rows are near; `hand` is given {reveal(at), columns}. */
export function Grid({ items, draw, onNearEnd, onDrawn, hand, label, isBusy }) {
  const ref = useRef(null);
  const [shape, setShape] = useState({ columns: 1, picturePx: 120, rowPx: 250 });
  const [range, setRange] = useState([0, 6]);
  const numRows = Math.ceil(items.length / shape.columns);
  useLayoutEffect(() => watchShape(ref.current, setShape), []);
  useEffect(() => watchRange(ref.current, shape.rowPx, setRange), [shape]);
  useEffect(() => { if (range[1] + MORE_ROWS >= numRows) onNearEnd(); }, [range[1], numRows]);
  hand.current = { columns: shape.columns, reveal: (at) => reveal(ref.current, Math.floor(at / shape.columns), shape.rowPx) };
  const first = Math.min(range[0], Math.max(0, numRows - 1)), last = Math.min(range[1], numRows);
  const drawn = items.slice(first * shape.columns, last * shape.columns);
  useEffect(() => onDrawn(drawn));
  return html`<div class="grid" role="feed" aria-label=${label} aria-busy=${String(isBusy)} ref=${ref}
      style=${{ height: `${numRows * shape.rowPx}px`, "--columns": shape.columns, "--picture": `${shape.picturePx}px` }}>
    <div class="rows" style=${{ transform: `translateY(${first * shape.rowPx}px)` }}>
      ${drawn.map((item, at) => draw(item, first * shape.columns + at))}
    </div>
  </div>`;
}

/* How many columns there is room for, and how high a row is. A big picture is two thirds of a card, 16 to 9. */
function watchShape(element, setShape) {
  const observer = new ResizeObserver(([entry]) => {
    const width = entry.contentRect.width;
    if (!width) return;
    const columns = Math.max(1, Math.floor((width + GAP_PX) / (WIDEST_PX + GAP_PX)));
    const cardPx = (width - (columns - 1) * GAP_PX) / columns;
    const picturePx = Math.round(((cardPx * 2) / 3) * (9 / 16));
    setShape((before) => (before.columns === columns && before.picturePx === picturePx ? before
      : { columns, picturePx, rowPx: picturePx + WORDS_PX + GAP_PX }));
  });
  observer.observe(element);
  return () => observer.disconnect();
}

/* Which rows are near, as the window scrolls; told only when they are others. */
function watchRange(element, rowPx, setRange) {
  let waiting = false;
  const look = () => {
    waiting = false;
    const top = -element.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / rowPx) - SPARE_ROWS);
    const last = Math.max(first + 1, Math.ceil((top + innerHeight) / rowPx) + SPARE_ROWS);
    setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]));
  };
  const later = () => {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  };
  look();
  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", later);
  return () => { removeEventListener("scroll", later); removeEventListener("resize", later); };
}

/* Scrolls so far that a row is seen whole, below what sticks to the window's top. */
function reveal(element, row, rowPx) {
  if (!element) return; /* a key that was pressed as the view was left */
  const stuck = [...document.querySelectorAll(".head, .review-bar")].reduce((sum, each) => sum + each.offsetHeight, 8);
  const top = element.getBoundingClientRect().top + row * rowPx;
  if (top < stuck) scrollBy(0, top - stuck);
  else if (top + rowPx > innerHeight) scrollBy(0, top + rowPx - innerHeight);
}
