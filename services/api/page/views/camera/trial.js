/* What the preview of thresholds found: the events that stay, those that would be gone, those that would be new. */
import { html } from "../../lib/html.js";
import { durationOf, numberOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { Tag, Time, Trouble } from "../../lib/ui.js";

const MAX_LISTED = 24; /* what would change is among them first: all of it is seen, without a window within the window */

export function Trial({ trial, span, changed, trying, stream }) {
  const found = trial.value?.labels ? trial.value : null;
  const problem = trying.problem?.name === "AbortError" ? null : trying.problem;
  if (!changed.length) return html`<p class="faint">${text("cameraTrialHint")}</p>`;
  return html`<section class="trial" aria-live="polite" aria-label=${text("cameraTrial")}>
    <${Trouble} problem=${problem} />
    ${!found && !problem && html`<p class="faint">${text("cameraTrying")}</p>`}
    ${found && (found.numFrames ? html`<p class="faint small">${text("cameraTriedOver", numberOf(found.numFrames), durationOf(found.untilMs - found.fromMs))}</p>`
      : html`<p class="faint">${text("cameraNothingToTry", stream.name)}</p>`)}
    ${found && changed.filter((label) => found.labels[label]).map((label) => html`<${LabelTrial} key=${label} label=${label} found=${found.labels[label]} span=${span} />`)}
  </section>`;
}

/* What would change comes first. */
function LabelTrial({ label, found: { present, wanted }, span }) {
  const rows = [
    ...wanted.events.map((each) => ({ ...each, kind: present.events.some((other) => meet(each, other)) ? "same" : "new" })),
    ...present.events.filter((each) => !wanted.events.some((other) => meet(each, other))).map((each) => ({ ...each, kind: "gone" })),
  ].sort((a, b) => (a.kind === "same") - (b.kind === "same") || b.started_at_ms - a.started_at_ms);
  return html`<div class="labeltrial"><p><${Tag} label=${label} /> <strong>${text("cameraInstead", counted(wanted), counted(present))}</strong></p>
    <ul>${rows.slice(0, MAX_LISTED).map((each) => html`<li key=${each.kind + each.started_at_ms} class=${each.kind}>
      <button type="button" class="quiet" onClick=${() => span.look(each.started_at_ms)}><span class="mark" aria-hidden="true">${{ same: "=", new: "+", gone: "−" }[each.kind]}</span>
        <span>${text(`cameraTrial_${each.kind}`)}</span> <${Time} ms=${each.started_at_ms} />
        <span class="faint">${each.ended_at_ms === null ? text("cameraStillOpen") : durationOf(each.ended_at_ms - each.started_at_ms)}, ${text("cameraPeak", numberOf(each.peak_score, 2))}</span></button></li>`)}</ul>
    ${rows.length > MAX_LISTED && html`<p class="faint small">${text("cameraAndMore", numberOf(rows.length - MAX_LISTED))}</p>`}
  </div>`;
}

const counted = ({ num_events: number }) => text(number === 1 ? "cameraOneEvent" : "cameraManyEvents", numberOf(number));
const meet = (one, other) => one.started_at_ms <= (other.ended_at_ms ?? Infinity) && other.started_at_ms <= (one.ended_at_ms ?? Infinity);
