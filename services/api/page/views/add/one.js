/* One camera by a form: tried, judged and registered, with every problem beside its field. */
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { session } from "../../lib/api.js";
import { go } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { useAction, useIsHere } from "../../lib/use.js";
import { Field, Trouble } from "../../lib/ui.js";
import { useUnsaved } from "../../lib/unsaved.js";
import { FpsField, GroupsField, ModelField, TagsField, useModels, useUsed } from "./choices.js";
import { Found, Trying, useProbe } from "./probe.js";
import { bodyOf, idFor, isTaken, place } from "./wish.js";

const FIELDS = ["name", "stream_id", "id", "source", "groups", "tags", "model", "fps", "rtsp_transport", "loop"];
const TRANSPORTS = ["tcp", "udp", "http", "https"];

export function One() {
  const [form, setForm] = useState(() => ({ name: "", id: null, source: "", groups: (session.value?.groups ?? []).join(", "), tags: "", model: "", fps: "", transport: "", loop: false }));
  const [changed, setChanged] = useState(new Set());
  const ref = useRef(null), isSaved = useRef(false), isHere = useIsHere(), probe = useProbe(), models = useModels(), used = useUsed();
  const id = form.id ?? idFor(form.name, used);
  useUnsaved(() => !isSaved.current && [form.name, form.source, form.tags].some((typed) => typed.trim()));
  const saving = useAction(async () => {
    await place(id, bodyOf(form), { dryRun: true });
    await place(id, bodyOf(form));
    isSaved.current = true;
    if (isHere()) go(["camera", id]);
  });
  const set = (name, field = name) => (event) => {
    const { type, checked, value } = event.target;
    setForm({ ...form, [name]: type === "checkbox" ? checked : value });
    setChanged(new Set([...changed, field]));
    if (["source", "transport"].includes(name)) probe.clear();
  };
  const fault = (field) => (changed.has(field) ? null : saving.problem?.of(field) ?? null);
  const idFault = changed.has("id") ? null : fault("stream_id") ?? fault("id") ?? (saving.problem && isTaken(saving.problem) ? text("addIdTaken") : null);
  const submit = (event) => { event.preventDefault(); setChanged(new Set()); saving.run(); };
  useEffect(() => { if (saving.problem) ref.current.querySelector("[aria-invalid=true]")?.focus(); }, [saving.problem]);
  const others = saving.problem && !isTaken(saving.problem) && !FIELDS.some((field) => saving.problem.of(field)) ? saving.problem : null;
  return html`<form class="panel" ref=${ref} onSubmit=${submit} autocomplete="off">
    <div class="add-pair">
      <${Field} label=${text("addName")} hint=${text("addNameHint")} error=${fault("name")}>
        ${(given) => html`<input ...${given} name="name" required maxlength="200" dir="auto" value=${form.name} onInput=${set("name")} />`}
      <//>
      <${Field} label=${text("addId")} hint=${text("addIdHint")} error=${idFault}>
        ${(given) => html`<input ...${given} name="id" class="mono" required maxlength="64" pattern="[A-Za-z0-9][A-Za-z0-9_\\-]*" title=${text("addIdHint")} spellcheck=${false} value=${id} onInput=${set("id")} />`}
      <//>
    </div>
    <${SourceField} form=${form} set=${set} fault=${fault("source")} probe=${probe} />
    ${probe.found?.ok && html`<${Found} found=${probe.found} modelFps=${Number(form.fps) || models.chosen(form.model)?.fps} />`}
    <${Trouble} problem=${probe.problem?.of("source") ? null : probe.problem} />
    <div class="add-pair">
      <${GroupsField} value=${form.groups} onInput=${set("groups")} error=${fault("groups")} />
      <${TagsField} value=${form.tags} onInput=${set("tags")} error=${fault("tags")} />
      <${ModelField} value=${form.model} onInput=${set("model")} error=${fault("model")} models=${models} />
      <${FpsField} value=${form.fps} onInput=${set("fps")} error=${fault("fps")} model=${models.chosen(form.model)} />
    </div>
    <${More} form=${form} set=${set} fault=${fault} />
    <${Trouble} problem=${others} />
    <button type="submit" disabled=${saving.isRunning}>${text(saving.isRunning ? "addSaving" : "addSave")}</button>
  </form>`;
}

function SourceField({ form, set, fault, probe }) {
  const found = probe.found;
  const error = fault ?? probe.problem?.of("source") ?? (found && !found.ok ? text("addFailed", found.reason) : null);
  const source = form.source.trim();
  return html`<${Field} label=${text("addSource")} hint=${text("addSourceHint")} error=${error}>
    ${(given) => html`<div class="add-source">
      <input ...${given} name="source" class="mono" required maxlength="2048" autocapitalize="off" spellcheck=${false} value=${form.source} onInput=${set("source")} />
      <button type="button" disabled=${!source || probe.isRunning} onClick=${() => probe.run(source, form.transport)}>
        ${probe.isRunning ? html`<${Trying} since=${probe.since} />` : text(found ? "addTryAgain" : "addTry")}</button>
    </div>`}
  <//>`;
}

const More = ({ form, set, fault }) => html`<details class="add-more" open=${fault("rtsp_transport") || fault("loop") ? true : undefined}>
  <summary>${text("addMore")}</summary>
  <div class="add-pair">
    <${Field} label=${text("addTransport")} error=${fault("rtsp_transport")}>
      ${(given) => html`<select ...${given} name="transport" value=${form.transport} onChange=${set("transport", "rtsp_transport")}>
        ${TRANSPORTS.map((name, at) => html`<option value=${at ? name : ""}>${name}</option>`)}
      </select>`}
    <//>
    <label class="add-check"><input type="checkbox" name="loop" checked=${form.loop} onChange=${set("loop")} /> ${text("addLoop")}</label>
  </div>
</details>`;
