/* Why an event fired, in words. */
import { html } from "../../lib/html.js";
import { bytesOf, durationOf, numberOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { exactly } from "./sights.js";
import { Time } from "../../lib/ui.js";

const CLOSED = {
  score: "closedScore", gap: "closedGap", source_ended: "closedSourceEnded", source_changed: "closedSourceChanged",
  model_changed: "closedModelChanged", state_lost: "closedStateLost", forgotten: "closedForgotten",
  stream_removed: "closedStreamRemoved", live: "closedLive",
};
const MEDIA = { recording: "mediaRecording", kept: "mediaKept", none: "mediaNone", removed: "mediaRemoved" };

/* The words for a reason to close, or to reset the memory; one of a later version as it reads. */
const reasonOf = (reason) => (CLOSED[reason] ? text(CLOSED[reason]) : `${reason}.`);

export function Why({ event }) {
  const rows = [
    ["whyOpened", openedWords(event)],
    ["whyScores", scoreWords(event)],
    ["whyLasts", event.thresholds && event.model && text("whyLastsWhile", event.thresholds.exit, event.thresholds.merge_seconds)],
    ["whyClosed", closedWords(event)],
    ["whyModel", html`<${Model} event=${event} />`],
    ["whyMemoryReset", event.model && (event.memory_reset ? text("whyReset", reasonOf(event.memory_reset)) : text("whyNoReset"))],
    ["whyFrames", event.model && (event.frames_missed ? text("whyMissed", numberOf(event.frames_missed)) : text("whyNoneMissed"))],
    ["whyConnection", text("whyEpoch", event.epoch, numberOf(event.media_started_seconds, 3))],
    ["whyMedia", mediaWords(event.media)],
  ];
  return html`<dl class="why">${rows.filter(([, words]) => words).map(([name, words]) => html`<dt>${text(name)}</dt><dd>${words}</dd>`)}</dl>`;
}

function openedWords(event) {
  const { label, thresholds, started_at_ms: atMs } = event;
  if (!event.model) return text("whyOffline", exactly(atMs));
  if (!thresholds) return text("whyOpenedUnknown", label, exactly(atMs));
  if (!thresholds.min_seconds) return text("whyOpenedAtOnce", label, thresholds.enter, exactly(atMs));
  return text("whyOpenedBy", label, thresholds.enter, thresholds.min_seconds, exactly(atMs));
}

function scoreWords(event) {
  if (!event.model) return null;
  const first = event.scores.find((each) => each.at_ms >= event.started_at_ms);
  const [peak, mean] = [event.peak_score.toFixed(3), event.mean_score.toFixed(3)];
  return first ? text("whyScoresWere", first.score.toFixed(3), peak, mean) : text("whyScoresKept", peak, mean);
}

function closedWords(event) {
  if (event.ended_at_ms === null) return text("whyStillOpen");
  const reason = event.close_reason ? reasonOf(event.close_reason) : "";
  return text("whyClosedAt", exactly(event.ended_at_ms), durationOf(event.ended_at_ms - event.started_at_ms), reason);
}

function Model({ event }) {
  if (!event.model) return text("whyNoModel");
  return html`${event.model}<br />${event.model_sha256 ? html`<span class="mono faint">${text("whyWeights", event.model_sha256)}</span>`
    : html`<span class="faint">${text("whyWeightsGone")}</span>`}`;
}

function mediaWords(media) {
  if (!media) return text("mediaNobody");
  const words = text(MEDIA[media.state], bytesOf(media.num_bytes));
  return html`${media.reason ? text("mediaBecause", words, media.reason.replace(/\.$/, "")) : words}${" "}
    ${media.recorded_at_ms > 0 && html`<span class="faint">(<${Time} ms=${media.recorded_at_ms} />)</span>`}`;
}
