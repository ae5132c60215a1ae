/* The door: a key for a session. */
import { html, useState } from "../lib/html.js";
import { logIn } from "../lib/api.js";
import { text } from "../lib/strings.js";
import { useAction } from "../lib/use.js";
import { Field, ICON } from "../lib/ui.js";

export function LogIn({ hasEnded }) {
  const [key, setKey] = useState("");
  const entering = useAction(() => logIn(key.trim()));
  const submit = (event) => { event.preventDefault(); entering.run(); };
  const problem = entering.problem && wordsOf(entering.problem);
  return html`<main class="door"><form onSubmit=${submit}>
    <h1><img src=${ICON} alt="" width="28" height="28" /> Afterimage</h1>
    ${hasEnded && html`<p class="notice" role="status">${text("sessionEnded")}</p>`}
    <${Field} label=${text("key")} hint=${text("keyHint")} error=${problem}>
      ${(given) => html`<input ...${given} type="password" name="key" autocomplete="current-password" autofocus required maxlength="200"
        value=${key} onInput=${(event) => setKey(event.target.value)} />`}
    <//>
    <button type="submit" disabled=${entering.isRunning}>${text("signIn")}</button>
  </form></main>`;
}

function wordsOf(problem) {
  if (problem.code === "key_malformed") return text("keyCut");
  return problem.status ? problem.message : text("unreached");
}
