/* Where a camera stands: state with its reason, what its source is, how many frames went which way. */
import { html } from "../../lib/html.js";
import { durationOf, numberOf } from "../../lib/clock.js";
import { isFile } from "../../lib/standing.js";
import { Retry, StateWord, whyOf } from "../../lib/standing_shown.js";
import { text } from "../../lib/strings.js";
import { Age, Time } from "../../lib/ui.js";

/* The state in a word, as its tile has it, and why. */
export function State({ known: { stream, standing }, isStale }) {
  const why = isStale ? null : whyOf(standing);
  return html`<${StateWord} standing=${standing} isStale=${isStale} />
    ${why && html`<span class="reason">${why}</span>`}
    ${!isStale && standing.nextAttemptAtMs && html`<${Retry} atMs=${standing.nextAttemptAtMs} />`}
    ${stream.maintenance && html`<span class="tag warn">${text("cameraInMaintenance")}</span>`}`;
}

export function Facts({ stream, zone }) {
  const size = stream.width && text("cameraPixels", stream.width, stream.height);
  const facts = [
    ["cameraCodec", [stream.codec, size].filter(Boolean).join(", ")],
    ["cameraRates", [stream.source_fps && text("cameraSourceRate", numberOf(stream.source_fps, 2)), text("cameraLookedAt", numberOf(stream.fps, 2))].filter(Boolean).join(", ")],
    ["cameraDuration", stream.duration_seconds && durationOf(stream.duration_seconds * 1000)],
    ["cameraModel", stream.running_model ?? text("cameraNoModel", stream.model)],
    ["cameraLastFrame", stream.last_frame_at_ms && html`<${isFile(stream) ? Time : Age} ms=${stream.last_frame_at_ms} zone=${zone} />`],
    ["cameraEpoch", numberOf(stream.epoch)],
    ["cameraPublished", numberOf(stream.frames_published)],
    ["cameraProcessed", numberOf(stream.frames_processed)],
    ["cameraDropped", html`<span class=${stream.frames_dropped ? "warn" : ""}>${numberOf(stream.frames_dropped)}</span>`],
    ["cameraLag", text("cameraFrames", numberOf(stream.lag_frames))],
    ["cameraSource", html`<span class="mono">${stream.source}</span>`],
    ["cameraGroups", [...stream.groups, ...stream.tags].join(", ")],
    ["cameraSince", html`<${Time} ms=${stream.created_at_ms} zone=${zone} />`],
  ];
  return html`<section class="panel" aria-labelledby="facts-title">
    <header><h2 id="facts-title">${text("cameraFacts")}</h2></header>
    <dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${text(name)}</dt><dd>${value}</dd></div>`)}</dl>
  </section>`;
}
