/* What is told of a camera's events, and how urgent it is: maintenance, hours, and each label's rules. */
import { html } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { Tag } from "../../lib/ui.js";
import { Saving, useDraft, useSaving } from "./draft.js";
import { Schedule } from "./schedule.js";

const USUAL = { severity: "alert", cooldown_seconds: 0, min_seconds: 0 };
const OFFLINE = "offline";

const read = ({ maintenance, schedule, delivery }) => ({ maintenance, schedule, delivery });

/* Of a label whose rules are the usual ones, none are kept. */
function changeOf(stream, values) {
  const rules = Object.entries(values.delivery).filter(([, rule]) => JSON.stringify({ ...USUAL, ...rule }) !== JSON.stringify(USUAL));
  const wanted = { ...values, delivery: Object.fromEntries(rules) }, before = read(stream);
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])));
}

export function Delivery({ known, labels, after }) {
  const { stream } = known;
  const draft = useDraft(known, read);
  const saving = useSaving(stream, draft, after);
  const { values, set } = draft;
  const rule = (label) => ({ ...USUAL, ...values.delivery[label] });
  const change = (label, given) => set("delivery", (before) => ({ ...before, [label]: { ...USUAL, ...before[label], ...given } }));
  const submit = (event) => { event.preventDefault(); saving.run(changeOf(stream, values)); };
  const all = [...new Set([...labels, OFFLINE, ...Object.keys(values.delivery)])];
  return html`<form onSubmit=${submit} class="delivery">
    <label class="check"><input type="checkbox" checked=${values.maintenance} onChange=${(event) => set("maintenance", event.target.checked)} /> ${text("cameraMaintenance")}</label>
    <p class="faint small">${text("cameraMaintenanceWhat")}</p>
    <${Schedule} schedule=${values.schedule} set=${(schedule) => set("schedule", schedule)} problem=${saving.problem} />
    <h3>${text("cameraRules")}</h3>
    <div class="scroll"><table><thead><tr><th>${text("cameraLabel")}</th><th>${text("cameraSeverity")}</th><th>${text("cameraCooldown")}</th><th>${text("cameraShortest")}</th></tr></thead>
      <tbody>${all.map((label) => html`<${Rule} key=${label} label=${label} rule=${rule(label)} change=${(given) => change(label, given)} problem=${saving.problem} />`)}</tbody></table></div>
    <${Saving} draft=${draft} saving=${saving} disabled=${!Object.keys(changeOf(stream, values)).length} />
  </form>`;
}

function Rule({ label, rule, change, problem }) {
  const seconds = (name) => {
    const said = problem?.of(`delivery.${label}.${name}`);
    return html`<td><input type="number" min="0" max="86400" step="any" required value=${rule[name]} aria-label=${text("cameraPartOf", text(`cameraRule_${name}`), label)}
      aria-invalid=${said ? "true" : undefined} onInput=${(event) => change({ [name]: event.target.valueAsNumber })} /> ${text("cameraSecondsUnit")}${said && html`<p class="error">${said}</p>`}</td>`;
  };
  return html`<tr><th scope="row"><${Tag} label=${label} /></th>
    <td><select value=${rule.severity} aria-label=${text("cameraPartOf", text("cameraSeverity"), label)} onChange=${(event) => change({ severity: event.target.value })}>
      <option value="alert">${text("cameraAlert")}</option><option value="notice">${text("cameraNotice")}</option></select></td>
    ${seconds("cooldown_seconds")}${seconds("min_seconds")}</tr>`;
}
