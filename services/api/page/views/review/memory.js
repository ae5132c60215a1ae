/* What memory is worth to an event's label, from its model's card; nothing where there is no such table. */
import { html } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useRead } from "../../lib/use.js";

const FIGURES = [["memoryWith", "ap_with_memory"], ["memoryOne", "ap_one_frame"], ["memoryShuffled", "ap_shuffled"]];

export function Memory({ event }) {
  const name = event.model?.split("@")[0];
  const { data } = useRead((abort) => cardOf(name, event.model, abort), [event.model]);
  const row = data?.memory?.find((each) => each.label === event.label);
  const figures = row ? FIGURES.filter(([, field]) => typeof row[field] === "number") : [];
  if (!figures.length) return null;
  return html`<section class="panel"><header><h2>${text("eventMemory")}</h2></header>
    <p>${row.words ?? row.needs}</p>
    <div class="meter">${figures.map(([words, field]) => html`<span>${text(words)}</span>
      <progress max="1" value=${row[field]} aria-label=${text(words)}></progress><span class="figures">${row[field].toFixed(3)}</span>`)}</div>
    <p class="faint small">${text("memoryHint", event.label)} <a href=${to(["system", "models", name])}>${text("memoryCard")}</a></p>
  </section>`;
}

/* The card of a model that is here, and still the one that said so; null otherwise. */
async function cardOf(name, reference, abort) {
  if (!name) return null;
  const models = await ask("GET", "/v1/models", { abort });
  if (!models.items.some((model) => model.name === name && model.reference === reference)) return null;
  try {
    return await ask("GET", `/v1/models/${encodeURIComponent(name)}/card`, { abort });
  } catch (problem) {
    if (problem.status === 404) return null;
    throw problem;
  }
}
