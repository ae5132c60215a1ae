/* What is chosen alike for one camera and for many: groups, tags, model, rate. */
import { html, useMemo } from "../../lib/html.js";
import { session } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { useAsked, useSuggested } from "../../lib/use.js";
import { Field } from "../../lib/ui.js";

const USUAL = "camera-events";

/* {items, chosen(name)}: the usable models; none while nobody has told. */
export function useModels() {
  const read = useAsked("/v1/models", { usable: true });
  const items = read.data?.items ?? [];
  return { items, isKnown: read.data !== undefined, chosen: (name) => items.find((each) => each.name === (name || USUAL)) };
}

/* The ids that idFor must not give again. */
export function useUsed() {
  const read = useAsked("/v1/streams", { text: "camera-", limit: 1000 });
  return useMemo(() => new Set((read.data?.items ?? []).map((each) => each.id)), [read.data]);
}

/* Groups that there are already are offered for the word that is being typed. */
export function GroupsField({ value, onInput, error }) {
  const word = value.match(/[^\s,]*$/)[0], before = value.slice(0, value.length - word.length);
  const groups = useSuggested("/v1/groups", word);
  const own = session.value?.groups ?? [];
  const hint = own.length ? text("addGroupsOwn", own.join(", ")) : text("addGroupsHint");
  return html`<${Field} label=${text("addGroups")} hint=${hint} error=${error}>
    ${(given) => html`<input ...${given} name="groups" autocomplete="off" list="add-groups" value=${value} onInput=${onInput} />
      <datalist id="add-groups">${groups.map(({ name }) => html`<option value=${before + name} />`)}</datalist>`}
  <//>`;
}

export const TagsField = ({ value, onInput, error }) => html`<${Field} label=${text("addTags")} hint=${text("addTagsHint")} error=${error}>
  ${(given) => html`<input ...${given} name="tags" autocomplete="off" value=${value} onInput=${onInput} />`}
<//>`;

export function ModelField({ value, onInput, error, models }) {
  const chosen = models.chosen(value);
  const hint = chosen ? text("addModelHint", chosen.labels.join(", ")) : models.isKnown && !models.items.length ? text("addModelNone") : null;
  return html`<${Field} label=${text("addModel")} hint=${hint} error=${error}>
    ${(given) => html`<select ...${given} name="model" value=${value} onChange=${onInput}>
      <option value="">${text("addModelUsual")}</option>
      ${models.items.map((each) => html`<option value=${each.name}>${each.name}</option>`)}
    </select>`}
  <//>`;
}

export function FpsField({ value, onInput, error, model }) {
  const hint = model?.fps ? text("addFpsHint", numberOf(model.fps, 2)) : text("addFpsHintPlain");
  return html`<${Field} label=${text("addFps")} hint=${hint} error=${error}>
    ${(given) => html`<input ...${given} name="fps" type="number" min="0.01" max="60" step="any" value=${value} onInput=${onInput} />`}
  <//>`;
}
