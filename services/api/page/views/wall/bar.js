/* What stands above the tiles: how many streams there are and stand how, and what is looked for. */
import { numberOf } from "../../lib/clock.js";
import { html, useComputed, useEffect, useId, useRef, useState } from "../../lib/html.js";
import { numAlerts } from "../../lib/live.js";
import { STATES } from "../../lib/standing.js";
import { text } from "../../lib/strings.js";
import { useKeys } from "../../lib/use.js";
import { labelsOpen } from "./opened.js";
import { ALERT, groups, ORDERS, SIZES, TROUBLE, want, wantAll, wanted } from "./selection.js";
import { changes, isStale, standings } from "./streams.js";

const TYPING_MS = 150;

/* Each figure is a button that shows those alone, and pressed again all. */
export function Summary() {
  const counted = JSON.parse(useComputed(() => JSON.stringify(count())).value);
  const { state, label } = wanted.value, alerts = numAlerts.value;
  const only = (name, value, isOn) => () => want({ [name]: isOn ? "" : value });
  const figure = (words, tone, name, value, isOn) => html`<button type="button" class=${`quiet ${tone}`} aria-pressed=${isOn}
    onClick=${only(name, value, isOn)}>${words}</button>`;
  return html`<div class="summary">
    <button type="button" class="quiet" onClick=${wantAll}>${many("wallStream", "wallStreams", counted.all)}</button>
    ${figure(text(isStale.value ? "wallNumWereLive" : "wallNumLive", numberOf(counted.live)), isStale.value ? "faint" : "good", "state", "live", state === "live")}
    ${figure(text("wallNumTroubled", numberOf(counted.troubled)), counted.troubled ? "bad" : "faint", "state", TROUBLE, state === TROUBLE)}
    ${figure(many("wallNumAlert", "wallNumAlerts", alerts), alerts ? "bad" : "faint", "label", ALERT, label === ALERT)}
  </div>`;
}

const many = (one, more, number) => text(number === 1 ? one : more, numberOf(number));

function count() {
  changes.value;
  const all = standings();
  return { all: all.length, live: all.filter(({ state }) => state === "live").length, troubled: all.filter(({ isTroubled }) => isTroubled).length };
}

/* On a phone all but the search are behind a button. */
export function Bar() {
  const [isOpen, setOpen] = useState(false);
  const { state, label, group, order, size } = wanted.value;
  const labels = [...new Set([...labelsOpen.value, ...(label && label !== ALERT ? [label] : [])])];
  const inGroups = [...new Set([...groups.value, ...(group ? [group] : [])])];
  return html`<div class="bar wall-bar" role="search">
    <${Search} />
    <button type="button" class="filters" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${text("wallFilters")}</button>
    <div class=${`bar choices ${isOpen ? "" : "closed"}`}>
      <${Choice} name="state" words="wallState" value=${state}
        choices=${[["", text("wallEveryState")], [TROUBLE, text("wallTrouble")], ...STATES.map((each) => [each, text(`stands_${each}`)])]} />
      <${Choice} name="label" words="wallLabel" value=${label}
        choices=${[["", text("wallAnyOrNone")], [ALERT, text("wallAnyAlert")], ...labels.map((each) => [each, each])]} />
      ${inGroups.length > 0 && html`<${Choice} name="group" words="wallGroup" value=${group}
        choices=${[["", text("wallEveryGroup")], ...inGroups.map((each) => [each, each])]} />`}
      <${Choice} name="order" words="wallOrder" value=${order} choices=${named(ORDERS, ["wallByName", "wallByAttention", "wallByGroup"])} />
      <${Choice} name="size" words="wallSize" value=${size} choices=${named(SIZES, ["wallSmall", "wallMiddle", "wallLarge"])} />
    </div>
  </div>`;
}

const named = (values, words) => values.map((value, at) => [value, text(words[at])]);

function Choice({ name, words, value, choices }) {
  const id = useId();
  return html`<div class="choice"><label for=${id}>${text(words)}</label>
    <select id=${id} name=${name} value=${value} onChange=${(event) => want({ [name]: event.target.value })}>
      ${choices.map(([each, shown]) => html`<option key=${each} value=${each} selected=${each === value}>${shown}</option>`)}
    </select></div>`;
}

/* What is typed narrows the tiles a moment later; "/" leads here. */
function Search() {
  const id = useId(), input = useRef(null), timer = useRef(null);
  const [typed, setTyped] = useState(wanted.value.text);
  useEffect(() => setTyped(wanted.value.text), [wanted.value.text]);
  useEffect(() => () => clearTimeout(timer.current), []);
  useKeys({ "/": () => input.current.focus() });
  const type = (event) => {
    const value = event.target.value;
    setTyped(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => want({ text: value.trim() }), TYPING_MS);
  };
  return html`<div class="choice grow"><label for=${id}>${text("wallSearch")}</label>
    <input id=${id} ref=${input} type="search" name="text" maxlength="200" placeholder=${text("wallSearchHint")} value=${typed} onInput=${type} /></div>`;
}
