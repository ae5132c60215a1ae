/* What is asked of a camera: its name, source, model, rate, groups and the finer points. */
import { html, useEffect } from "../../lib/html.js";
import { isFile } from "../../lib/standing.js";
import { text } from "../../lib/strings.js";
import { Field, Trouble } from "../../lib/ui.js";
import { GroupsField } from "../add/choices.js";
import { Found, Trying, useProbe } from "../add/probe.js";
import { Saving, useDraft, useSaving } from "./draft.js";

const WORDS = ["groups", "tags"];
const NUMBERS = ["fps", "stall_seconds", "offline_seconds", "reset_after_seconds", "transport_short_side"];
const CHOICES = { rtsp_transport: ["tcp", "udp", "http", "https"], skip: ["auto", "none", "keyframes"], pace: ["live", "fast"] };

/* The form's fields as text, from what is so; an fps that nobody chose is left empty. */
function read(stream) {
  const numbers = NUMBERS.map((name) => [name, stream[name] === null || (name === "fps" && !stream.fps_given) ? "" : String(stream[name])]);
  const words = WORDS.map((name) => [name, stream[name].join(", ")]);
  const rest = ["name", "source", "model", "loop", ...Object.keys(CHOICES)].map((name) => [name, stream[name]]);
  return Object.fromEntries([...numbers, ...words, ...rest]);
}

/* The change that makes what is so into what the form says. */
function changeOf(stream, values) {
  const before = read(stream), change = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === before[name]) continue;
    if (NUMBERS.includes(name)) change[name] = value.trim() === "" ? null : Number(value);
    else if (WORDS.includes(name)) change[name] = value.split(/[\s,]+/).filter(Boolean);
    else change[name] = value;
  }
  return change;
}

export function Settings({ known, models, after }) {
  const { stream } = known;
  const draft = useDraft(known, read);
  const saving = useSaving(stream, draft, after);
  const { values, set } = draft;
  const input = (name, given = {}) => html`<${Field} label=${text(`cameraField_${name}`)} hint=${hintOf(name)} error=${saving.problem?.of(name)}>
    ${(field) => html`<input ...${field} ...${given} value=${values[name]} onInput=${(event) => set(name, event.target.value)} />`}<//>`;
  const number = (name, given) => input(name, { type: "number", step: "any", ...given });
  const choice = (name, options) => html`<${Field} label=${text(`cameraField_${name}`)} hint=${hintOf(name)} error=${saving.problem?.of(name)}>
    ${(field) => html`<select ...${field} value=${values[name]} onChange=${(event) => set(name, event.target.value)}>
      ${options.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select>`}<//>`;
  const submit = (event) => { event.preventDefault(); saving.run(changeOf(stream, values)); };
  const names = [...new Set([stream.model, ...models.filter((each) => each.usable).map((each) => each.name)])];
  return html`<form onSubmit=${submit} class="settings">
    ${input("name", { required: true, maxlength: 200, dir: "auto" })}
    ${input("source", { required: true, maxlength: 2048, class: "mono", spellcheck: false, autocomplete: "off" })}
    <${Probe} source=${values.source} transport=${values.rtsp_transport} />
    <div class="columns">
      ${choice("model", names)}
      ${number("fps", { min: 0.01, max: 60, placeholder: String(stream.fps) })}
      <${GroupsField} value=${values.groups} onInput=${(event) => set("groups", event.target.value)} error=${saving.problem?.of("groups")} />
      ${input("tags")}
    </div>
    <details><summary>${text("cameraFiner")}</summary><div class="columns">
      ${choice("rtsp_transport", CHOICES.rtsp_transport)}
      ${choice("skip", CHOICES.skip)}
      ${choice("pace", CHOICES.pace)}
      ${isFile(stream) && html`<label class="check"><input type="checkbox" checked=${values.loop} onChange=${(event) => set("loop", event.target.checked)} /> ${text("cameraField_loop")}</label>`}
      ${number("offline_seconds", { min: 1, max: 86400, placeholder: "30" })}
      ${number("stall_seconds", { min: 1, max: 3600 })}
      ${number("reset_after_seconds", { min: 0, max: 86400, placeholder: "10" })}
      ${number("transport_short_side", { min: 192, max: 720, step: 1 })}
    </div></details>
    <${Saving} draft=${draft} saving=${saving} disabled=${!Object.keys(changeOf(stream, values)).length} />
  </form>`;
}

/* Tries a source before it is saved: what it gives, or why nothing. */
function Probe({ source, transport }) {
  const { found, ...probe } = useProbe(), isHidden = source.includes("***");
  useEffect(probe.clear, [source, transport]);
  return html`<div class="probe">
    <div class="bar"><button type="button" onClick=${() => probe.run(source, transport)} disabled=${isHidden || !source || probe.isRunning}>
        ${probe.isRunning ? html`<${Trying} since=${probe.since} />` : text("cameraProbe")}</button>
      ${isHidden && html`<span class="faint small">${text("cameraProbeHidden")}</span>`}</div>
    <${Trouble} problem=${probe.problem} />
    ${found && (found.ok ? html`<${Found} found=${found} />` : html`<p class="trouble" role="alert">${text("addFailed", found.reason)}</p>`)}
  </div>`;
}

const WITH_HINT = ["source", "model", "fps", "tags", "skip", "pace", "offline_seconds", "stall_seconds", "reset_after_seconds", "transport_short_side"];
const hintOf = (name) => (WITH_HINT.includes(name) ? text(`cameraHint_${name}`) : undefined);
