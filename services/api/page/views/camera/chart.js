/* Scores over time with thresholds as lines: drawn by uPlot, dragged through time, pointed at. */
import { html, useEffect, useRef, useSignalEffect } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { colour, theme } from "../../lib/theme.js";
import uPlot from "../../vendor/uplot.js";
import { hueOf } from "../../lib/ui.js";

/* Where the drawing lies in its box, in pixels: the strip below lies likewise (camera.css). */
const LEFT = 36, RIGHT = 12, HEIGHT = 240;
const CLICK_PX = 4;
const NO_ROOM = 0.03; /* so near the right end, of the whole, a time would be cut off */
const HOLE_FACTOR = 6;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const CLOCK_SECONDS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/* `scores`, `span`: of scores.js and span.js. `limits` is label → thresholds, `tried` those that are thought of. */
export function Chart({ scores, span, labels, hidden, limits, tried, frameMs }) {
  const box = useRef(null), drawn = useRef(null), given = useRef({});
  given.current = { hidden, limits, tried };
  useEffect(() => {
    const plot = new uPlot(optionsOf(labels, span, given), [[], ...labels.map(() => [])], box.current);
    drawn.current = plot;
    const fit = () => box.current && plot.setSize({ width: Math.max(120, box.current.clientWidth), height: HEIGHT });
    const observer = new ResizeObserver(fit);
    observer.observe(box.current);
    const unhand = takeHand(plot, span);
    fill(plot, scores, labels, frameMs);
    return () => { observer.disconnect(); unhand(); plot.destroy(); drawn.current = null; };
  }, [labels.join(), theme.value, scores, frameMs]);
  useEffect(() => {
    labels.forEach((label, at) => drawn.current?.setSeries(at + 1, { show: !hidden.has(label) }));
  }, [[...hidden].join(), labels.join(), theme.value]);
  useEffect(() => drawn.current?.redraw(false), [limits, tried]);
  useSignalEffect(() => { scores.changed.value; if (drawn.current) fill(drawn.current, scores, labels, frameMs); });
  useSignalEffect(() => {
    const scale = { min: span.from.value, max: span.to.value };
    drawn.current?.setScale("x", scale);
  });
  useSignalEffect(() => {
    const ms = span.shown.value, plot = drawn.current;
    if (plot && span.moment.peek() === null) point(plot, ms);
  });
  return html`<div class="chart" ref=${box} tabindex="0" role="group" aria-label=${text("cameraChart")} aria-describedby="chart-keys"
    onKeyDown=${(event) => hearKey(event, span)}></div>
    <p id="chart-keys" class="faint small keyhint">${text("cameraChartKeys")}</p>`;
}

function optionsOf(labels, span, given) {
  const looks = looksOf(labels), faint = colour("faint"), line = colour("line");
  const axis = { stroke: faint, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" };
  return {
    width: 300, height: HEIGHT, ms: 1, padding: [8, RIGHT, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
    scales: { x: { time: true, range: (_plot, min, max) => [min ?? span.from.peek(), max ?? span.to.peek()] }, y: { range: () => [0, 1] } },
    axes: [
      { ...axis, size: 26, values: (plot, splits) => splits.map((ms) => (plot.scales.x.max - ms < NO_ROOM * (plot.scales.x.max - plot.scales.x.min) ? "" : clockOf(ms, splits))) },
      { ...axis, size: LEFT, values: (_plot, splits) => splits.map((value) => value.toFixed(1)) },
    ],
    series: [{}, ...labels.map((label) => ({
      label, stroke: colour(looks.get(label).hue), width: 1.5, dash: looks.get(label).dash, points: { show: false },
      show: !given.current.hidden.has(label),
    }))],
    hooks: {
      draw: [(plot) => drawLimits(plot, labels, looks, given.current)],
      setCursor: [(plot) => { if (plot.isPointedAt) span.moment.value = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null; }],
    },
  };
}

const clockOf = (ms, splits) => (splits.length > 1 && splits[1] - splits[0] < 60_000 ? CLOCK_SECONDS : CLOCK).format(ms);

/* Gives uPlot what there is; where frames are missing, the line has a hole. */
function fill(plot, scores, labels, frameMs) {
  const holeMs = Math.max(2000, HOLE_FACTOR * frameMs), times = scores.times, columns = labels.map((label) => scores.columns.get(label));
  const holes = [];
  for (let at = 1; at < times.length; at += 1) if (times[at] - times[at - 1] > holeMs) holes.push(at);
  const withHoles = (column, inHole) => {
    if (!column) return new Array(times.length + holes.length).fill(null);
    if (!holes.length) return column;
    const pieces = [];
    let from = 0;
    for (const at of holes) { pieces.push(column.slice(from, at), [inHole(at)]); from = at; }
    return [].concat(...pieces, column.slice(from));
  };
  plot.setData([withHoles(times, (at) => times[at - 1] + 1), ...columns.map((column) => withHoles(column, () => null))], false);
  plot.redraw(true, false);
}

function drawLimits(plot, labels, looks, { hidden, limits, tried }) {
  const { ctx, bbox } = plot, ratio = devicePixelRatio || 1;
  const draw = (value, strokeStyle, width, dash) => {
    const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
    ctx.strokeStyle = strokeStyle; ctx.lineWidth = width * ratio; ctx.setLineDash(dash.map((each) => each * ratio));
    ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
  };
  ctx.save();
  for (const label of labels) {
    if (hidden.has(label)) continue;
    const stroke = colour(looks.get(label).hue), now = limits[label], wish = tried?.[label];
    ctx.globalAlpha = wish ? 0.35 : 0.75;
    if (now) { draw(now.enter, stroke, 1, [6, 4]); draw(now.exit, stroke, 1, [1, 4]); }
    ctx.globalAlpha = 1;
    if (wish) { draw(wish.enter, stroke, 2, [6, 3]); draw(wish.exit, stroke, 2, [2, 4]); }
  }
  ctx.restore();
}

function point(plot, ms) {
  const left = ms === null ? -10 : plot.valToPos(ms, "x");
  plot.setCursor({ left: left >= 0 && left <= plot.over.clientWidth ? left : -10, top: 0 }, false);
}

/* Dragging moves through time; a press without a drag keeps the moment. Returns what undoes it. */
function takeHand(plot, span) {
  const over = plot.over;
  let from = null;
  const heard = {
    pointerenter: () => { plot.isPointedAt = true; },
    pointerleave: () => { plot.isPointedAt = false; span.moment.value = null; point(plot, span.pinned.peek()); },
    pointerdown: (event) => {
      if (event.button !== 0) return;
      from = { x: event.clientX, toMs: span.to.peek(), hasMoved: false };
      over.setPointerCapture(event.pointerId);
    },
    pointermove: (event) => {
      if (!from) return;
      const by = event.clientX - from.x;
      if (!from.hasMoved && Math.abs(by) < CLICK_PX) return;
      from.hasMoved = true;
      span.end(from.toMs - (by / over.clientWidth) * span.lengthMs.peek());
    },
    pointerup: (event) => {
      if (from && !from.hasMoved) span.pinned.value = plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x");
      from = null;
    },
    pointercancel: () => { from = null; },
  };
  for (const [name, hear] of Object.entries(heard)) over.addEventListener(name, hear);
  return () => { for (const [name, hear] of Object.entries(heard)) over.removeEventListener(name, hear); };
}

function hearKey(event, span) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {
    ArrowLeft: () => span.step(event.shiftKey ? -10 : -1), ArrowRight: () => span.step(event.shiftKey ? 10 : 1),
    PageUp: () => span.move(-span.lengthMs.value / 2), PageDown: () => span.move(span.lengthMs.value / 2),
    End: () => span.goLive(), Escape: () => { span.moment.value = null; span.pinned.value = null; },
  };
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
}

/* How each label's line looks: the label's own colour, and dashes where two labels share it. */
const DASHES = [[], [7, 3], [2, 3], [10, 3, 2, 3]];

/* Label → {hue: a class of base.css, dash}. */
export function looksOf(labels) {
  const looks = new Map(), used = new Map();
  for (const label of labels) {
    const hue = hueOf(label), turn = used.get(hue) ?? 0;
    used.set(hue, turn + 1);
    looks.set(label, { hue, dash: DASHES[turn % DASHES.length] });
  }
  return looks;
}
