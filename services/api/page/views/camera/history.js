/* What happened and how it was scored: chart, strip and what moves them through time. */
import { html, useEffect, useMemo, useState } from "../../lib/html.js";
import { durationOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { isSaid, Trouble } from "../../lib/ui.js";
import { Chart } from "./chart.js";
import { looksOf } from "./lines.js";
import { SPANS_MS } from "./span.js";
import { Strip } from "./strip.js";

const LIVE_MS = 1000;
const MARGIN = 0.25; /* of what is seen, also loaded, so that a drag finds it there */

export function History({ stream, scores, span, happened, labels, limits, trial }) {
  const [hidden, setHidden] = useState(() => new Set());
  useLoading(scores, span);
  scores.changed.value;
  const known = [...new Set([...labels, ...scores.columns.keys()])];
  const tried = trial.value?.wanted ?? null;
  const found = trial.value?.labels ?? null;
  const turn = (label) => setHidden((before) => {
    const next = new Set(before);
    if (!next.delete(label)) next.add(label);
    return next;
  });
  const isEmpty = !scores.isLoading.value && !scores.times.some((ms) => ms >= span.from.value && ms <= span.to.value);
  return html`<section class="panel history" aria-labelledby="history-title">
    <header><h2 id="history-title">${text("cameraScores")}</h2><${Moves} span=${span} /></header>
    <${Legend} labels=${known} hidden=${hidden} turn=${turn} scores=${scores} span=${span} />
    <div class="drawn">
      <${Chart} scores=${scores} span=${span} labels=${known} hidden=${hidden} limits=${limits} tried=${tried} frameMs=${1000 / stream.fps} />
      ${isEmpty && html`<p class="none faint">${text(span.isLive.value ? "cameraNoScoresYet" : "cameraNoScores")}</p>`}
    </div>
    <${Trouble} problem=${scores.problem.value && isSaid(scores.problem.value) ? null : scores.problem.value} />
    <${Strip} happened=${happened} span=${span} labels=${known.filter((label) => !hidden.has(label))} trial=${found} />
  </section>`;
}

/* What is seen is loaded, and while it is live, what is new each second. */
function useLoading(scores, span) {
  const fromMs = span.from.value, toMs = span.to.value, isLive = span.isLive.value, marginMs = MARGIN * span.lengthMs.value;
  useEffect(() => {
    const timer = setTimeout(() => scores.want(fromMs - marginMs, isLive ? null : toMs + marginMs), isLive ? 0 : 120);
    return () => clearTimeout(timer);
  }, [scores, isLive, isLive ? span.lengthMs.value : fromMs, isLive ? 0 : toMs]);
  useEffect(() => {
    if (!isLive) return undefined;
    const timer = setInterval(() => { if (!document.hidden) scores.want(span.from.peek() - marginMs, null); }, LIVE_MS);
    return () => clearInterval(timer);
  }, [scores, isLive, span.lengthMs.value]);
}

function Moves({ span }) {
  const half = span.lengthMs.value / 2;
  return html`<div class="bar moves">
    <div role="group" aria-label=${text("cameraSpan")} class="group">${SPANS_MS.map((ms) => html`<button type="button" key=${ms}
      aria-pressed=${span.lengthMs.value === ms ? "true" : "false"} onClick=${() => span.stretch(ms)}>${durationOf(ms)}</button>`)}</div>
    <div class="group">
      <button type="button" onClick=${() => span.move(-half)} aria-label=${text("cameraEarlier")} title=${text("cameraEarlier")}>◀</button>
      <button type="button" onClick=${() => span.move(half)} disabled=${span.isLive.value} aria-label=${text("cameraLater")} title=${text("cameraLater")}>▶</button>
      <button type="button" aria-pressed=${span.isLive.value ? "true" : "false"} onClick=${() => span.goLive()}>${text("cameraLive")}</button>
    </div>
  </div>`;
}

/* Labels as switches, each with its line and its score at the moment that is shown. */
function Legend({ labels, hidden, turn, scores, span }) {
  const looks = useMemo(() => looksOf(labels), [labels.join()]);
  const ms = span.shown.value ?? scores.lastMs;
  const values = ms === null ? null : scores.at(ms);
  return html`<ul class="legend" aria-label=${text("cameraLabels")}>${labels.map((label) => {
    const { hue, dash } = looks.get(label), value = values?.[label];
    return html`<li key=${label}><button type="button" aria-pressed=${hidden.has(label) ? "false" : "true"} onClick=${() => turn(label)}
      title=${text(hidden.has(label) ? "cameraShowLabel" : "cameraHideLabel", label)}>
      <svg class=${hue} width="22" height="8" aria-hidden="true"><line x1="0" y1="4" x2="22" y2="4" stroke="currentColor" stroke-width="2" stroke-dasharray=${dash.join(" ")} /></svg>
      ${label}<span class="value">${value === undefined || value === null ? "–" : scoreOf(value)}</span>
    </button></li>`;
  })}</ul>`;
}

const scoreOf = (value) => value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
