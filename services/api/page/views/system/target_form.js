/* A target to be, with every problem beside its field. */
import { html, useState } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { text } from "../../lib/strings.js";
import { useAction } from "../../lib/use.js";
import { Dialog, Field, Trouble } from "../../lib/ui.js";

const KINDS = ["webhook", "mqtt", "apprise"];
const SEVERITIES = ["", "alert", "notice"];
const LISTS = ["labels", "groups", "streams"];
const FIELDS = ["id", "kind", "url", "severity", "updates", ...LISTS];

const wordsOf = (typed) => typed.split(/[\s,]+/).filter(Boolean);

export function TargetForm({ onClose, onMade }) {
  const [form, setForm] = useState({ kind: "webhook", id: "", url: "", labels: "", groups: "", streams: "", severity: "", updates: false });
  const making = useAction(() => ask("POST", "/v1/targets", { body: bodyOf(form) }));
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
  const fault = (name) => making.problem?.of(name) ?? null;
  const others = making.problem && !FIELDS.some(fault) ? making.problem : null;
  const submit = async (event) => {
    event.preventDefault();
    const target = await making.run();
    if (target) onMade(target);
  };
  return html`<${Dialog} title=${text("sysAddTarget")} onClose=${onClose} isUnsaved=${() => form.id || form.url || LISTS.some((name) => form[name])}>
    <form class="sys-form" onSubmit=${submit} autocomplete="off">
      <${Choice} name="kind" label="sysKind" value=${form.kind} onChange=${set("kind")} error=${fault("kind")} choices=${KINDS.map((kind) => [kind, `sysKind_${kind}`])} />
      <${Line} name="id" label="sysId" hint="sysIdHint" value=${form.id} onInput=${set("id")} error=${fault("id")} isNeeded=${true} />
      <${Line} name="url" label="sysUrl" hint=${`sysKindHint_${form.kind}`} value=${form.url} onInput=${set("url")} error=${fault("url")} isNeeded=${true} />
      <details><summary>${text("sysFilters")}</summary>
        ${LISTS.map((name) => html`<${Line} key=${name} name=${name} label=${`sys${name[0].toUpperCase()}${name.slice(1)}`} hint="sysEmptyAll" value=${form[name]} onInput=${set(name)} error=${fault(name)} />`)}
        <${Choice} name="severity" label="sysSeverity" value=${form.severity} onChange=${set("severity")} error=${fault("severity")} choices=${SEVERITIES.map((each) => [each, `sysSeverity_${each || "both"}`])} />
        ${form.kind !== "apprise" && html`<label class="sys-check"><input type="checkbox" name="updates" checked=${form.updates} onChange=${set("updates")} /> ${text("sysUpdates")}</label>`}
      </details>
      <${Trouble} problem=${others} />
      <button type="submit" disabled=${making.isRunning}>${text("sysAddTarget")}</button>
    </form>
  <//>`;
}

function bodyOf(form) {
  const body = { id: form.id.trim(), kind: form.kind, url: form.url.trim(), updates: form.updates && form.kind !== "apprise" };
  for (const name of LISTS) body[name] = wordsOf(form[name]);
  if (form.severity) body.severity = form.severity;
  return body;
}

export const Line = ({ name, label, hint, value, onInput, error, isNeeded = false }) => html`<${Field} label=${text(label)} hint=${hint && text(hint)} error=${error}>
  ${(given) => html`<input ...${given} name=${name} required=${isNeeded} spellcheck=${false} autocapitalize="off" value=${value} onInput=${onInput} />`}
<//>`;

export const Choice = ({ name, label, value, onChange, error, choices }) => html`<${Field} label=${text(label)} error=${error}>
  ${(given) => html`<select ...${given} name=${name} value=${value} onChange=${onChange}>
    ${choices.map(([each, words, ...values]) => html`<option value=${each}>${text(words, ...values)}</option>`)}
  </select>`}
<//>`;
