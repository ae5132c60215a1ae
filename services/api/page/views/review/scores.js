/* An event's scores as a small chart: its thresholds as lines, its time as a band. */
import { html, useEffect, useRef } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { colour, theme } from "../../lib/theme.js";
import uPlot from "../../vendor/uplot.js";
import { exactly } from "./sights.js";

const HEIGHT = 190, HOLE_MS = 1500;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function ScoreChart({ event }) {
  const { scores, thresholds, label } = event, box = useRef(null), plot = useRef(null);
  const current = useRef(event);
  current.current = event;
  useEffect(() => {
    if (!scores.length) return undefined;
    plot.current = new uPlot(optionsOf(current, box.current), dataOf(scores), box.current);
    const observer = new ResizeObserver(([entry]) => plot.current.setSize({ width: Math.max(120, entry.contentRect.width), height: HEIGHT }));
    observer.observe(box.current);
    return () => { observer.disconnect(); plot.current.destroy(); plot.current = null; };
  }, [event.id, theme.value, !scores.length]);
  useEffect(() => plot.current?.setData(dataOf(scores)), [scores]);
  if (!scores.length) return html`<p class="empty">${text("scoresNone")}</p>`;
  const span = [label, exactly(scores[0].at_ms), exactly(scores.at(-1).at_ms), Math.max(...scores.map((each) => each.score)).toFixed(2)];
  const words = thresholds ? text("scoresLabel", ...span, thresholds.enter, thresholds.exit) : text("scoresNoThresholds", ...span);
  return html`<div class="score-chart" role="img" aria-label=${words} ref=${box}></div>
    ${thresholds && html`<p class="legend"><span>— ${text("scoresScore")}</span><span>- - ${text("scoresEnter", thresholds.enter)}</span>
      <span>·· ${text("scoresExit", thresholds.exit)}</span></p>`}`;
}

/* Where frames are missing, the line has a hole. */
function dataOf(scores) {
  const times = [], values = [];
  scores.forEach(({ at_ms: atMs, score }, at) => {
    if (at && atMs - scores[at - 1].at_ms > HOLE_MS) { times.push(scores[at - 1].at_ms + 1); values.push(null); }
    times.push(atMs);
    values.push(score);
  });
  return [times, values];
}

function optionsOf(current, box) {
  const [faint, line] = [colour("faint"), colour("line")];
  const axis = { stroke: faint, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" };
  return {
    width: Math.max(120, box.clientWidth), height: HEIGHT, ms: 1, padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    scales: { x: { time: true }, y: { range: () => [0, 1] } },
    axes: [{ ...axis, size: 26, values: (_plot, splits) => splits.map((ms) => CLOCK.format(ms)) }, { ...axis, size: 36 }],
    series: [{}, { stroke: colour("accent"), width: 2, points: { show: false } }],
    hooks: { drawClear: [(plot) => drawBand(plot, current.current)], draw: [(plot) => drawThresholds(plot, current.current.thresholds)] },
  };
}

function drawBand({ ctx, bbox, scales, valToPos }, event) {
  const end = Math.min(event.ended_at_ms ?? scales.x.max, scales.x.max);
  const left = Math.max(bbox.left, valToPos(event.started_at_ms, "x", true)), right = valToPos(end, "x", true);
  ctx.save();
  ctx.fillStyle = colour("shade");
  ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  ctx.restore();
}

function drawThresholds({ ctx, bbox, valToPos }, thresholds) {
  if (!thresholds) return;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const [name, stroke, dash] of [["enter", "bad", [7, 4]], ["exit", "warn", [2, 4]]]) {
    const y = Math.round(valToPos(thresholds[name], "y", true)) + 0.5;
    ctx.strokeStyle = colour(stroke);
    ctx.setLineDash(dash.map((each) => each * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}
