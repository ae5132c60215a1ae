/* Keys: who may do what, made and revoked here; and what is stored, encrypted anew. */
import { ask, session } from "../../lib/api.js";
import { numberOf, present } from "../../lib/clock.js";
import { html, useState } from "../../lib/html.js";
import { text } from "../../lib/strings.js";
import { Age, Dialog, Question, Shown, Time, Trouble } from "../../lib/ui.js";
import { useAction, useAsked } from "../../lib/use.js";
import { Once } from "./once.js";
import { Choice, Line } from "./target_form.js";

export function Keys() {
  const read = useAsked("/v1/keys");
  const [shown, setShown] = useState(null); /* {kind: "add" | "made" | "revoke", key} */
  const close = () => setShown(null);
  const made = (key) => { read.again(); setShown({ kind: "made", key }); };
  const key = shown?.key, isOwn = key && key.id === session.value.key_id;
  return html`<section class="panel">
      <header><h2>${text("sysKeysTitle")}</h2>
        <button type="button" class="main" onClick=${() => setShown({ kind: "add" })}>${text("sysAddKey")}</button></header>
      <${Shown} of=${read}>${({ items }) => html`<${Lists} keys=${items} revoke=${(each) => setShown({ kind: "revoke", key: each })} />`}<//>
      ${shown?.kind === "add" && html`<${KeyForm} onClose=${close} onMade=${made} />`}
      ${shown?.kind === "made" && html`<${Once} title=${text("sysKeyMade", key.name)} words=${text("sysKeyMadeWords")} secret=${key.key} onClose=${close} />`}
      ${shown?.kind === "revoke" && html`<${Question} title=${text("sysRevokeTitle", key.name)} yes=${text("sysRevoke")}
        act=${() => ask("DELETE", `/v1/keys/${key.id}`)} onClose=${close} onDone=${() => { close(); read.again(); }}>
        <p>${text("sysRevokeWords")} ${isOwn && text("sysRevokeOwn")}</p><//>`}
    </section>
    <${Secrets} />`;
}

/* Those that open something, and folded away those that do not any more. */
function Lists({ keys, revoke }) {
  const useless = keys.filter((key) => key.revoked_at_ms || (key.expires_at_ms && key.expires_at_ms <= present()));
  const living = keys.filter((key) => !useless.includes(key));
  return html`<${Table} keys=${living} revoke=${revoke} />
    ${useless.length > 0 && html`<details><summary>${text("sysUseless", numberOf(useless.length))}</summary><${Table} keys=${useless} /></details>`}`;
}

const Table = ({ keys, revoke }) => html`<div class="scroll"><table class="sys-stack">
  <thead><tr>${["sysKeyName", "sysRole", "sysGroups", "sysLastUsed", "sysExpires", ...(revoke ? ["sysActions"] : [])].map((name) => html`<th scope="col">${text(name)}</th>`)}</tr></thead>
  <tbody>${keys.map((key) => html`<tr key=${key.id}>
    <td><bdi>${key.name}</bdi> ${key.id === session.value.key_id && html`<span class="tag good">${text("sysOwn")}</span>`}
      <br /><span class="mono faint">${key.id}</span> ${key.created_at_ms === null && html`<span class="faint small">${text("sysOfSettings")}</span>`}</td>
    <td data-name=${text("sysRole")}>${key.role}</td>
    <td data-name=${text("sysGroups")}>${key.groups.join(", ") || text("sysAllGroups")}</td>
    <td data-name=${text("sysLastUsed")}>${key.last_used_at_ms ? html`<${Age} ms=${key.last_used_at_ms} />` : text("sysUnused")}</td>
    <td data-name=${text("sysExpires")}><${End} of=${key} /></td>
    ${revoke && html`<td><button type="button" class="danger" onClick=${() => revoke(key)}>${text("sysRevoke")}</button></td>`}
  </tr>`)}</tbody>
</table></div>`;

function End({ of: key }) {
  if (key.revoked_at_ms) return html`<span class="bad">${text("sysRevoked")}</span> <${Age} ms=${key.revoked_at_ms} />`;
  if (!key.expires_at_ms) return text("sysNever");
  return html`${key.expires_at_ms <= present() && html`<span class="bad">${text("sysExpired")}</span> `}<${Time} ms=${key.expires_at_ms} />`;
}

function Secrets() {
  const [result, setResult] = useState(null);
  const rotating = useAction(() => ask("POST", "/v1/secrets/rotate"));
  const run = async () => setResult((await rotating.run()) ?? null);
  const unreadable = [...(result?.unreadable ?? []), ...(result?.unreadable_targets ?? [])];
  return html`<section class="panel">
    <header><h2>${text("sysSecrets")}</h2><button type="button" disabled=${rotating.isRunning} onClick=${run}>${text("sysRotate")}</button></header>
    <p class="faint">${text("sysSecretsWords")}</p>
    <div aria-live="polite">
      ${result && html`<p class="good">${text("sysRotated", numberOf(result.num_streams), numberOf(result.num_targets))}</p>`}
      ${unreadable.length > 0 && html`<p class="bad">${text("sysUnreadable", unreadable.join(", "))}</p>`}
      <${Trouble} problem=${rotating.problem} />
    </div>
  </section>`;
}

/* A key to be. */
const DAY_MS = 86_400_000;
const ROLES = ["viewer", "operator", "admin"].map((role) => [role, `sysRoleIs_${role}`]);
const LIVES = [["", "sysNever"], ["30", "sysInDays", 30], ["90", "sysInDays", 90], ["365", "sysInYear"]];
const FIELDS = ["name", "role", "groups", "expires_at_ms"];

function KeyForm({ onClose, onMade }) {
  const [form, setForm] = useState({ name: "", role: "viewer", groups: "", days: "" });
  const making = useAction(() => ask("POST", "/v1/keys", { body: {
    name: form.name.trim(), role: form.role, groups: form.groups.split(/[\s,]+/).filter(Boolean),
    expires_at_ms: form.days ? Math.round(present() + Number(form.days) * DAY_MS) : null,
  } }));
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const fault = (name) => making.problem?.of(name) ?? null;
  const submit = async (event) => {
    event.preventDefault();
    const key = await making.run();
    if (key) onMade(key);
  };
  return html`<${Dialog} title=${text("sysAddKey")} onClose=${onClose} isUnsaved=${() => form.name || form.groups}>
    <form class="sys-form" onSubmit=${submit} autocomplete="off">
      <${Line} name="name" label="sysKeyName" hint="sysKeyNameHint" value=${form.name} onInput=${set("name")} error=${fault("name")} isNeeded=${true} />
      <${Choice} name="role" label="sysRole" value=${form.role} onChange=${set("role")} error=${fault("role")} choices=${ROLES} />
      <${Line} name="groups" label="sysGroups" hint="sysGroupsHint" value=${form.groups} onInput=${set("groups")} error=${fault("groups")} />
      <${Choice} name="days" label="sysExpires" value=${form.days} onChange=${set("days")} error=${fault("expires_at_ms")} choices=${LIVES} />
      <${Trouble} problem=${making.problem && !FIELDS.some(fault) ? making.problem : null} />
      <button type="submit" disabled=${making.isRunning}>${text("sysAddKey")}</button>
    </form>
  <//>`;
}
