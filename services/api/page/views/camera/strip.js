/* Events on the chart's time axis, a lane for each label: what happened, and what other thresholds would have given. */
import { html, useEffect } from "../../lib/html.js";
import { durationOf, numberOf, timeOf } from "../../lib/clock.js";
import { go, to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { hueOf, Trouble } from "../../lib/ui.js";
import { MAX_SHOWN } from "./happened.js";

/* `trial`: what the preview found, label → {present, wanted}, or null. */
export function Strip({ happened, span, labels, trial }) {
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
