/* The review's filters, which stand in the address: alerts or notices, and what narrows them. */
import { html, useState } from "../../lib/html.js";
import { address, ask } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { narrow, route, to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useAction, useAsked, useRead, useSuggested } from "../../lib/use.js";
import { LISTS, SPANS, asked, filtersOf, isNarrowed, kindOf, localOf, msOf } from "./query.js";

const COUNT_MS = 30_000;
const KINDS = [["alert", "reviewAlerts", "alerts"], ["notice", "reviewNotices", "notices"], ["all", "reviewAll", null]];
const LIST_WORDS = { group: "reviewGroup", stream: "reviewStream", label: "reviewLabel" };
const LABEL = /^[a-z][a-z0-9_]{0,39}$/;
const FEEDBACK = [["", "reviewAnyFeedback"], ["none", "reviewUnjudged"], ["right", "reviewJudgedRight"], ["wrong", "reviewJudgedWrong"]];

/* What the address's query becomes with some filters set otherwise; null: as if it were not there. */
const withSet = (filters, changes) => {
  const next = { ...filters, ...changes };
  return Object.fromEntries(Object.entries(next).filter(([, value]) => value !== null && value !== "" && value.length !== 0));
};
const set = (filters, changes) => narrow(withSet(filters, changes));

/* Alerts, notices, or both, with how many there are of each; `turn` has them counted anew. */
export function Kinds({ filters, turn }) {
  const query = { ...asked({ ...filters, severity: "all" }) };
  const { data } = useRead((abort) => ask("GET", "/v1/events/counts", { query, abort }), [JSON.stringify(filters), turn], COUNT_MS);
  const of = (name) => data && (data.is_whole ? numberOf(data[name]) : text("reviewMore", numberOf(data[name])));
  return html`<nav class="kinds" aria-label=${text("reviewKinds")}>${KINDS.map(([kind, words, counted]) => html`
    <a href=${to(route.value.path, withSet(filters, { severity: kind === "alert" ? null : kind }))} aria-current=${kindOf(filters) === kind ? "true" : undefined}>
      ${text(words)}${counted && data && html` <span class="count">${of(counted)}</span>`}</a>`)}</nav>`;
}

export function Filters({ filters }) {
  return html`<form class="filters" aria-label=${text("reviewFilters")} onSubmit=${(event) => event.preventDefault()}>
    <${Lists} filters=${filters} />
    <input type="search" aria-label=${text("reviewText")} placeholder=${text("reviewTextHint")} maxlength="200" value=${filters.text ?? ""}
      onChange=${(event) => set(filters, { text: event.target.value.trim() })} />
    <${Time} filters=${filters} />
    <select aria-label=${text("reviewFeedback")} value=${filters.feedback ?? ""} onChange=${(event) => set(filters, { feedback: event.target.value })}>
      ${FEEDBACK.map(([value, words]) => html`<option value=${value}>${text(words)}</option>`)}
    </select>
    <label class="check"><input type="checkbox" checked=${filters.reviewed === "no"}
      onChange=${(event) => set(filters, { reviewed: event.target.checked ? "no" : null })} /> ${text("reviewUnreviewedOnly")}</label>
    ${isNarrowed(filters) && html`<button type="button" class="quiet" onClick=${() => narrow(filters.severity ? { severity: filters.severity } : {})}>${text("reviewReset")}</button>`}
    <${Chips} filters=${filters} />
  </form>`;
}

/* What an api's list has that is called so; what may be entered, and words for it. */
const SOUGHT = { group: ["/v1/groups", ({ name }) => [name, ""]], stream: ["/v1/streams", ({ id, name }) => [id, name]] };
async function foundAs(name, value) {
  if (!SOUGHT[name]) return LABEL.test(value) ? [value] : [];
  const [path, pairOf] = SOUGHT[name], { items } = await ask("GET", path, { query: { text: value, limit: 1000 } });
  const pairs = items.map(pairOf), isOne = (part) => (pair) => pair[part].trim() === value;
  return (pairs.some(isOne(0)) ? pairs.filter(isOne(0)) : pairs.filter(isOne(1))).map(([id]) => id);
}

/* Groups, cameras by id or name, and labels: what is entered joins those that are there. */
function Lists({ filters }) {
  const [typed, type] = useState({ group: "", stream: "" }), [unknown, miss] = useState(null), models = useAsked("/v1/models");
  const suggested = {
    group: useSuggested(SOUGHT.group[0], typed.group).map(SOUGHT.group[1]),
    stream: useSuggested(SOUGHT.stream[0], typed.stream).map(SOUGHT.stream[1]),
    label: [...new Set([...(models.data?.items ?? []).flatMap((model) => model.labels), "offline"])].sort().map((name) => [name, ""]),
  };
  const adding = useAction(async (name, field) => {
    const value = field.value.trim(), found = value ? await foundAs(name, value) : [];
    miss(value && !found.length ? name : null);
    if (!found.length || !field.isConnected || field.value.trim() !== value) return;
    const present = filtersOf(route.value.query);
    field.value = "";
    set(present, { [name]: [...new Set([...present[name], ...found])] });
  });
  return LISTS.map((name) => html`<input class="pick" list=${`review-${name}`} aria-label=${text(LIST_WORDS[name])} placeholder=${text(LIST_WORDS[name])}
      maxlength="200" autocomplete="off" aria-invalid=${unknown === name ? "true" : undefined} onChange=${(event) => adding.run(name, event.target)}
      onInput=${(event) => { miss(null); type({ ...typed, [name]: event.target.value.trim() }); }} />
    ${unknown === name && html`<span class="bad small" role="alert">${text("reviewUnknown", text(LIST_WORDS[name]))}</span>`}
    <datalist id=${`review-${name}`}>${suggested[name].map(([value, words]) => html`<option value=${value}>${words}</option>`)}</datalist>`);
}

function Time({ filters }) {
  const isBetween = Boolean(filters.since || filters.until);
  const [isWished, wish] = useState(isBetween);
  const choose = (event) => {
    const { value } = event.target;
    wish(value === "between");
    if (value !== "between") set(filters, { last: value, since: null, until: null });
  };
  const time = (name, words) => html`<label class="check">${text(words)} <input type="datetime-local" step="1" value=${localOf(filters[name])}
    onChange=${(event) => set(filters, { last: null, [name]: msOf(event.target.value) && String(msOf(event.target.value)) })} /></label>`;
  return html`<select aria-label=${text("reviewTime")} value=${isWished || isBetween ? "between" : filters.last ?? ""} onChange=${choose}>
      <option value="">${text("reviewAnyTime")}</option>
      ${Object.entries(SPANS).map(([words, seconds]) => html`<option value=${String(seconds)}>${text(words)}</option>`)}
      <option value="between">${text("reviewBetween")}</option>
    </select>
    ${(isWished || isBetween) && html`${time("since", "reviewFrom")}${time("until", "reviewTo")}`}`;
}

/* What was entered, each with a button that takes it away. */
function Chips({ filters }) {
  const chips = LISTS.flatMap((name) => filters[name].map((value) => ({ name, value })));
  return chips.map(({ name, value }) => html`<button type="button" class="chip" aria-label=${text("reviewWithout", text(LIST_WORDS[name]), value)}
    onClick=${() => set(filters, { [name]: filters[name].filter((each) => each !== value) })}>
    <span class="faint">${text(LIST_WORDS[name])}</span> <bdi>${value}</bdi> ✕</button>`);
}

/* The same events as a file. */
export function Export({ filters }) {
  const links = [["jsonl", "reviewExportJsonl"], ["csv", "reviewExportCsv"]];
  return html`<span class="export" role="group" aria-label=${text("reviewExport")}><span class="faint">${text("reviewExport")}</span>
    ${links.map(([format, words]) => html`<a class="button" download href=${address("/v1/events/export", { ...asked(filters), format }).href}>${text(words)}</a>`)}</span>`;
}
