/* The models that are here, and one of them with its card and what memory is worth to each of its labels. */
import { html } from "../../lib/html.js";
import { numberOf } from "../../lib/clock.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useAsked } from "../../lib/use.js";
import { Empty, Shown, Tag } from "../../lib/ui.js";
import { Bar } from "./bars.js";
import { Markdown } from "./markdown.js";

export const Models = ({ path }) => {
  const read = useAsked("/v1/models");
  return html`<${Shown} of=${read}>${({ items }) => {
    if (!items.length) return html`<${Empty}>${text("sysNoModels")}<//>`;
    const name = path[0] ?? (items.length === 1 ? items[0].name : null);
    const model = items.find((each) => each.name === name);
    return html`${items.length > 1 && html`<nav class="bar" aria-label=${text("sysModels")}>
        ${items.map((each) => html`<a class="button" key=${each.name} href=${to(["system", "models", each.name])} aria-current=${each.name === name ? "page" : undefined}>
          ${each.name} ${!each.usable && html`<span class="bad small">${text("sysUnusable")}</span>`}</a>`)}</nav>`}
      ${name && (model ? html`<${Model} key=${name} model=${model} />` : html`<${Empty}>${text("sysNoModel")}<//>`)}`;
  }}<//>`;
};

function Model({ model }) {
  const read = useAsked(`/v1/models/${encodeURIComponent(model.name)}/card`);
  return html`<section class="panel">
      <header><h2>${model.name}</h2>
        <span class=${model.usable ? "good" : "bad"}>${text(model.usable ? "sysUsable" : "sysUnusable")}</span></header>
      ${model.reason && html`<p class="bad">${model.reason}</p>`}
      ${model.description && html`<p>${model.description}</p>`}
      <p class="sys-tags">${model.labels.map((label) => html`<${Tag} key=${label} label=${label} />`)}</p>
      <${Facts} model=${model} sha256=${read.data?.sha256} />
    </section>
    <${Shown} of=${read}>${(card) => html`
      ${card.memory.length > 0 && html`<${Memory} rows=${card.memory} />`}
      <section class="panel sys-card">
        <header><h2>${text("sysCard")}</h2></header>
        ${card.card === null ? html`<p class="faint">${text("sysNoCard")}</p>` : html`<${Markdown} source=${card.card} />`}
        ${card.is_cut && html`<p class="faint">${text("sysCardCut")}</p>`}
      </section>`}<//>`;
}

function Facts({ model, sha256 }) {
  const facts = [
    ["sysReference", model.reference && html`<span class="mono">${model.reference}</span>`],
    ["sysWeights", sha256 && html`<span class="mono">${sha256}</span>`],
    ["sysRate", model.fps && numberOf(model.fps, 2)],
    ["sysInput", model.input && text("sysInputIs", model.input.width, model.input.height)],
  ];
  return html`<dl class="sys-facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div><dt>${text(name)}</dt><dd>${value}</dd></div>`)}</dl>`;
}

const Memory = ({ rows }) => html`<section class="panel">
  <header><h2>${text("sysMemoryTitle")}</h2></header>
  <p class="faint sys-lead">${text("sysMemoryWords")}</p>
  <div class="sys-memory">${rows.map((row) => html`<div class="sys-memory-row" key=${row.label}>
    <p><${Tag} label=${row.label} /></p>
    <div><${Figure} label=${row.label} name="sysWithMemory" value=${row.ap_with_memory} />
      <${Figure} label=${row.label} name="sysOneFrame" value=${row.ap_one_frame} look="plain" /></div>
    <p class="small">${row.words ?? row.needs}</p>
  </div>`)}</div>
</section>`;

const FIGURES = new Intl.NumberFormat(undefined, { minimumFractionDigits: 3, maximumFractionDigits: 3 });

function Figure({ label, name, value, look }) {
  const shown = value === null ? text("sysUnmeasured") : FIGURES.format(value);
  return html`<p class="sys-figure"><span class="small faint">${text(name)}</span>
    <${Bar} share=${value ?? 0} look=${look} words=${text("sysBar", label, text(name), shown)} /> <span class="number">${shown}</span></p>`;
}
