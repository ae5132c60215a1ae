/* Thresholds, moved while one sees which past events they would have given; then saved. */
import { ask, may } from "../../lib/api.js";
import { durationOf, numberOf } from "../../lib/clock.js";
import { html, useEffect, useRef } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { Empty, Shown, Tag, Time, Trouble } from "../../lib/ui.js";
import { useAction } from "../../lib/use.js";
import { pathOf, Saving, useDraft, useSaving } from "./draft.js";
import { applied, limitsOf, overridesOf, same, wrongWith } from "./limits.js";

const PAUSE_MS = 400;

export function Thresholds({ known, model, models, ...given }) {
  if (!model && models.data === undefined) return html`<${Shown} of=${models}>${() => null}<//>`; /* not known yet */
  if (!model) return html`<${Empty}>${text("cameraModelUnknown", known.stream.model)}<//>`;
  return html`<${ThresholdsForm} known=${known} model=${model} ...${given} />`;
}

function ThresholdsForm({ known, model, trial, span, after }) {
  const { stream } = known;
  const draft = useDraft(known, () => limitsOf(model, stream));
  const saving = useSaving(stream, draft, after);
  const present = limitsOf(model, stream), wanted = draft.values;
  const changed = Object.keys(present).filter((label) => wanted[label] && !same(wanted[label], present[label]));
  const wrong = Object.fromEntries(changed.map((label) => [label, wrongWith(wanted[label])]).filter(([, words]) => words));
  const isWrong = Object.keys(wrong).length > 0;
  const trying = useTrial(stream, isWrong ? null : overridesOf(model, stream, wanted), changed, wanted, trial);
  const submit = (event) => { event.preventDefault(); saving.run({ thresholds: overridesOf(model, stream, wanted) }); };
  return html`<form onSubmit=${submit} class="thresholds">
    <p class="faint">${text("cameraThresholdsWhat")}</p>
    <div class="limits">
      ${Object.keys(present).map((label) => html`<${LabelLimits} key=${label} label=${label} limits=${wanted[label]} own=${applied(model.thresholds[label])}
        set=${(given) => draft.set(label, (before) => ({ ...before, ...given }))} reset=${() => draft.set(label, applied(model.thresholds[label]))}
        error=${wrong[label] ? text(wrong[label]) : errorOf(saving.problem, label)} />`)}
    </div>
    ${!isWrong && html`<${Trial} trial=${trial} span=${span} changed=${changed} trying=${trying} stream=${stream} />`}
    ${may("operator") ? html`<${Saving} draft=${draft} saving=${saving} disabled=${isWrong || !changed.length} />`
      : draft.isChanged && html`<button type="button" onClick=${draft.reset}>${text("cameraDiscard")}</button>`}
  </form>`;
}

function LabelLimits({ label, limits, own, set, reset, error }) {
  const number = (part, most, step) => html`<input type="number" min="0" max=${most} step=${step} value=${limits[part]} required
    aria-label=${text("cameraPartOf", text(`cameraPart_${part}`), label)} onInput=${(event) => set({ [part]: event.target.valueAsNumber })} />`;
  const slider = (part) => html`<input type="range" min="0.01" max="0.99" step="0.01" value=${limits[part]}
    aria-label=${text("cameraSliderOf", text(`cameraPart_${part}`), label)} onInput=${(event) => set(slid(limits, part, event.target.valueAsNumber))} />`;
  return html`<div role="group" aria-label=${label} class=${`limit ${error ? "wrong" : ""}`}>
    <${Tag} label=${label} />
    <div class="part wide"><span>${text("cameraPart_enter")}</span>${slider("enter")}${number("enter", 1, "any")}</div>
    <div class="part wide"><span>${text("cameraPart_exit")}</span>${slider("exit")}${number("exit", 1, "any")}</div>
    <div class="part"><span>${text("cameraPart_min_seconds")}</span>${number("min_seconds", 600, "any")}</div>
    <div class="part"><span>${text("cameraPart_merge_seconds")}</span>${number("merge_seconds", 600, "any")}</div>
    ${!same(limits, own) && html`<button type="button" class="quiet small" onClick=${reset} aria-label=${text("cameraModelsOwnOf", label)}>${text("cameraModelsOwn")}</button>`}
    ${error && html`<p class="error" role="alert">${error}</p>`}
  </div>`;
}

/* A slider that is moved past the other pulls it along. */
const slid = (limits, part, value) => (part === "enter" ? { enter: value, exit: Math.min(limits.exit, value) } : { exit: value, enter: Math.max(limits.enter, value) });

/* Asks what the wanted thresholds would have given, once they have rested for a moment; `trial` holds the answer. */
function useTrial(stream, overrides, changed, wanted, trial) {
  const asked = useRef(null);
  const trying = useAction((abort) => ask("POST", `${pathOf(stream)}/thresholds/preview`, { body: { thresholds: overrides }, abort }));
  const key = overrides && changed.length ? JSON.stringify([overrides, stream.thresholds]) : "";
  useEffect(() => {
    asked.current?.abort();
    if (!key) { trial.value = null; trying.clear(); return undefined; }
    const abort = asked.current = new AbortController();
    const shown = Object.fromEntries(changed.map((label) => [label, wanted[label]]));
    trial.value = { ...trial.peek(), wanted: shown };
    const timer = setTimeout(async () => {
      const found = await trying.run(abort.signal);
      if (!found || abort.signal.aborted) return;
      const labels = Object.fromEntries(changed.filter((label) => found.labels[label]).map((label) => [label, found.labels[label]]));
      trial.value = { wanted: shown, labels, fromMs: found.from_ms, untilMs: found.until_ms, numFrames: found.num_frames };
    }, PAUSE_MS);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [key]);
  useEffect(() => () => { trial.value = null; }, []);
  return trying;
}

/* What the api says of a label's thresholds. */
function errorOf(problem, label) {
  const found = (problem?.errors ?? []).filter((each) => each.field?.startsWith(`thresholds.${label}`) || (each.field === "thresholds" && each.value === label));
  return found.map((each) => each.message).join("; ") || null;
}

/* What the preview of thresholds found: the events that stay, those that would be gone, those that would be new. */
const MAX_LISTED = 24; /* what would change is among them first: all of it is seen, without a window within the window */

function Trial({ trial, span, changed, trying, stream }) {
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
