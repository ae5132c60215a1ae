/* The hours in which events are delivered: a row for each, by the clock on the wall of a time zone. */
import { html, useId } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { Field } from "../../lib/ui.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WORKDAYS = DAYS.slice(0, 5);
const MAX_HOURS = 28;
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const ZONES = Intl.supportedValuesOf?.("timeZone") ?? [];

/* `schedule`: as the api has it, or null: always. `problem`: what the api says against it. */
export function Schedule({ schedule, set, problem }) {
  const zones = useId();
  const hours = schedule?.hours ?? [];
  const change = (at, given) => set({ ...schedule, hours: hours.map((each, other) => (other === at ? { ...each, ...given } : each)) });
  const begin = () => set({ time_zone: HERE, hours: [{ days: WORKDAYS, begin: "18:00", end: "07:00" }] });
  return html`<fieldset class="schedule">
    <legend>${text("cameraSchedule")}</legend>
    <label class="check"><input type="checkbox" checked=${schedule !== null} onChange=${(event) => (event.target.checked ? begin() : set(null))} /> ${text("cameraScheduled")}</label>
    ${schedule && html`<p class="faint small">${text("cameraScheduleWhat")}</p>
      <${Field} label=${text("cameraZone")} error=${problem?.of("schedule")}>${(field) => html`<input ...${field} list=${zones} value=${schedule.time_zone}
        maxlength="64" required onInput=${(event) => set({ ...schedule, time_zone: event.target.value })} />
        <datalist id=${zones}>${ZONES.map((each) => html`<option key=${each} value=${each} />`)}</datalist>`}<//>
      ${hours.map((each, at) => html`<${Hours} key=${at} hours=${each} change=${(given) => change(at, given)}
        remove=${hours.length > 1 ? () => set({ ...schedule, hours: hours.filter((_, other) => other !== at) }) : null} />`)}
      ${hours.length < MAX_HOURS && html`<button type="button" onClick=${() => set({ ...schedule, hours: [...hours, { days: DAYS, begin: "00:00", end: "00:00" }] })}>${text("cameraAddHours")}</button>`}`}
  </fieldset>`;
}

function Hours({ hours, change, remove }) {
  const turn = (day) => {
    const days = DAYS.filter((each) => (each === day) !== hours.days.includes(each));
    if (days.length) change({ days });
  };
  const clock = (name) => html`<label>${text(`cameraHours_${name}`)} <input type="time" required value=${hours[name]} onInput=${(event) => change({ [name]: event.target.value })} /></label>`;
  return html`<div class="hours" role="group" aria-label=${text("cameraHours")}>
    <div class="days">${DAYS.map((day) => html`<button type="button" key=${day} aria-pressed=${hours.days.includes(day) ? "true" : "false"} onClick=${() => turn(day)}>${text(`cameraDay_${day}`)}</button>`)}</div>
    ${clock("begin")} ${clock("end")}
    ${remove && html`<button type="button" class="quiet" onClick=${remove}>${text("remove")}</button>`}
  </div>`;
}
