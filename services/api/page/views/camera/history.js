/* What happened and how it was scored: chart, strip and what moves them through time. */
import { durationOf, numberOf, timeOf } from "../../lib/clock.js";
import { html, useEffect, useMemo, useState } from "../../lib/html.js";
import { go, to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { hueOf, isSaid, Trouble } from "../../lib/ui.js";
import { Chart, looksOf } from "./chart.js";
import { MAX_SHOWN } from "./happened.js";
import { SPANS_MS } from "./span.js";

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

/* Events on the chart's time axis, a lane for each label: what happened, and what other thresholds would have given. */
/* `trial`: what the preview found, label → {present, wanted}, or null. */
function Strip({ happened, span, labels, trial }) {
  const fromMs = span.from.value, toMs = span.to.value;
  useEffect(() => happened.want(fromMs, toMs));
  const seen = happened.seen(fromMs, toMs).sort((a, b) => a.started_at_ms - b.started_at_ms).slice(-MAX_SHOWN);
  const lanes = [...new Set([...labels, ...seen.map((each) => each.label)])]
    .map((label) => ({ label, events: seen.filter((each) => each.label === label), tried: within(trial?.[label]?.wanted.events, fromMs, toMs) }))
    .filter(({ label, events }) => events.length || trial?.[label]);
  const place = (startMs, endMs) => placed(startMs, endMs ?? toMs, fromMs, toMs);
  return html`<section class="strip" aria-label=${text("cameraEvents")}>
    <div class="lanes">${lanes.map(({ label, events, tried }) => html`<div class="lane" key=${label}>
      <span class=${`name ${hueOf(label)}`}>${label}</span>
      <div class="track">${events.map((event) => html`<${Bar} key=${event.id} event=${event} span=${span} style=${place(event.started_at_ms, event.ended_at_ms)} />`)}</div>
      ${trial?.[label] && html`<div class="track tried">${tried.map((each) => html`<span key=${each.started_at_ms} class=${`bar ${hueOf(label)}`}
        style=${place(each.started_at_ms, each.ended_at_ms)} title=${text("cameraWouldBe", timeOf(each.started_at_ms))}></span>`)}</div>`}
    </div>`)}
    <${Moment} span=${span} /></div>
    ${!lanes.length && html`<p class="faint small none">${text(happened.asked ? "cameraNoEvents" : "loading")}</p>`}
    ${happened.isCut.value && html`<p class="faint small none">${text("cameraEventsCut", MAX_SHOWN)}</p>`}
    <${Trouble} problem=${happened.problem.value} />
    <${List} events=${seen} span=${span} />
  </section>`;
}

/* What points at an event's opening, so that the picture of that moment shows. */
const pointing = (event, span) => {
  const point = () => { span.moment.value = event.started_at_ms; };
  const leave = () => { span.moment.value = null; };
  return { onMouseEnter: point, onMouseLeave: leave, onFocus: point, onBlur: leave };
};

/* Bars are as long as events are, so some are too small for a finger or a keyboard: the list has all of them again. */
function Bar({ event, span, style }) {
  return html`<span class=${`bar ${hueOf(event.label)} ${event.state} ${event.severity} ${event.feedback?.verdict ?? ""}`} style=${style}
    title=${wordsOf(event)} onClick=${() => go(["event", event.id])} ...${pointing(event, span)}></span>`;
}

function List({ events, span }) {
  if (!events.length) return null;
  return html`<details class="list"><summary>${text(events.length === 1 ? "cameraListOne" : "cameraList", numberOf(events.length))}</summary>
    <ul>${events.toReversed().map((event) => html`<li key=${event.id}><a class=${hueOf(event.label)} href=${to(["event", event.id])} ...${pointing(event, span)}>${wordsOf(event)}</a></li>`)}</ul>
  </details>`;
}

const wordsOf = (event) => text("cameraEvent", event.label, timeOf(event.started_at_ms),
  event.ended_at_ms === null ? text("cameraStillOpen") : durationOf(event.ended_at_ms - event.started_at_ms));

/* Where the moment is that is pointed at. */
function Moment({ span }) {
  const ms = span.shown.value, fromMs = span.from.value, toMs = span.to.value;
  if (ms === null || ms < fromMs || ms > toMs) return null;
  return html`<div class="track over"><span class="moment" style=${{ left: `${(100 * (ms - fromMs)) / (toMs - fromMs)}%` }}></span></div>`;
}

const within = (events, fromMs, toMs) => (events ?? []).filter((each) => each.started_at_ms < toMs && (each.ended_at_ms ?? Infinity) >= fromMs);

function placed(startMs, endMs, fromMs, toMs) {
  const share = (ms) => Math.min(100, Math.max(0, (100 * (ms - fromMs)) / (toMs - fromMs)));
  const left = share(startMs);
  return { left: `${left}%`, width: `${share(endMs) - left}%` };
}
