/* A key to be. */
import { html, useState } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { present } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { useAction } from "../../lib/use.js";
import { Dialog, Trouble } from "../../lib/ui.js";
import { useUnsaved } from "../../lib/unsaved.js";
import { Choice, Line } from "./target_form.js";

const DAY_MS = 86_400_000;
const ROLES = ["viewer", "operator", "admin"].map((role) => [role, `sysRoleIs_${role}`]);
const LIVES = [["", "sysNever"], ["30", "sysInDays", 30], ["90", "sysInDays", 90], ["365", "sysInYear"]];
const FIELDS = ["name", "role", "groups", "expires_at_ms"];

export function KeyForm({ onClose, onMade }) {
  const [form, setForm] = useState({ name: "", role: "viewer", groups: "", days: "" });
  const making = useAction(() => ask("POST", "/v1/keys", { body: {
    name: form.name.trim(), role: form.role, groups: form.groups.split(/[\s,]+/).filter(Boolean),
    expires_at_ms: form.days ? Math.round(present() + Number(form.days) * DAY_MS) : null,
  } }));
  useUnsaved(() => Boolean(form.name));
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const fault = (name) => making.problem?.of(name) ?? null;
  const submit = async (event) => {
    event.preventDefault();
    const key = await making.run();
    if (key) onMade(key);
  };
  return html`<${Dialog} title=${text("sysAddKey")} onClose=${onClose}>
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
