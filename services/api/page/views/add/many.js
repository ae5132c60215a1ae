/* Many cameras that are pasted: each is judged, then each is added; what fails stays in the box, with the reason. */
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { session } from "../../lib/api.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { Empty, Field } from "../../lib/ui.js";
import { useUnsaved } from "../../lib/unsaved.js";
import { runThrough } from "./batch.js";
import { FpsField, GroupsField, ModelField, TagsField, useModels, useUsed } from "./choices.js";
import { asLine, linesOf, MAX_LINES, Remembered } from "./lines.js";

const VERDICTS = { waiting: "addVerdictWaiting", busy: "addVerdictBusy", good: "addVerdictGood", done: "addVerdictDone" };
const LOOKS = { good: "good", done: "good", bad: "bad" };

export function Many() {
  const [box, setBox] = useState(""), [common, setCommon] = useState(() => ({ groups: (session.value?.groups ?? []).join(", "), tags: "", model: "", fps: "" }));
  const models = useModels(), used = useUsed();
  const batch = useBatch(box, setBox, common, used);
  useUnsaved(() => !!batch.num);
  const set = (name) => (event) => { setCommon({ ...common, [name]: event.target.value }); batch.reset(); };
  const fault = batch.num > MAX_LINES ? text("addTooMany", MAX_LINES, batch.num) : null;
  const numGood = batch.rows.filter((row) => row.standing === "good").length;
  const submit = (event) => { event.preventDefault(); batch.judge(); };
  return html`<form class="panel" onSubmit=${submit} autocomplete="off">
    <${Field} label=${text("addBox")} hint=${text("addBoxHint")} error=${fault}>
      ${(given) => html`<textarea ...${given} name="lines" spellcheck=${false} autocapitalize="off" readOnly=${!!batch.running} value=${box}
        onInput=${(event) => { setBox(event.target.value); batch.reset(); }} />`}
    <//>
    <div class="add-pair">
      <${GroupsField} value=${common.groups} onInput=${set("groups")} />
      <${TagsField} value=${common.tags} onInput=${set("tags")} />
      <${ModelField} value=${common.model} onInput=${set("model")} models=${models} />
      <${FpsField} value=${common.fps} onInput=${set("fps")} model=${models.chosen(common.model)} />
    </div>
    <div class="bar">
      <button type="submit" disabled=${!batch.num || !!fault || !!batch.running}>${text("addJudge")}</button>
      <button type="button" class="main" disabled=${!numGood || !!batch.running} onClick=${batch.apply}>${text("addApply", numGood)}</button>
      ${batch.running && html`<button type="button" onClick=${batch.stop}>${text("addStop")}</button>`}
      <${Progress} batch=${batch} />
    </div>
    <${Outcome} batch=${batch} />
    ${batch.rows.length ? html`<${Rows} rows=${batch.rows} />` : !batch.outcome && html`<${Empty}>${batch.num ? text("addUnchecked", batch.num) : text("addEmpty")}<//>`}
  </form>`;
}

/* What is under way of a box: its rows, which are judged or added, and how far that has come. */
function useBatch(box, setBox, common, used) {
  const [rows, setRows] = useState([]), [running, setRunning] = useState(null), [isWaiting, setWaiting] = useState(false);
  const [outcome, setOutcome] = useState(null);
  const remembered = useRef(new Remembered()), abort = useRef(null);
  useEffect(() => () => abort.current?.abort(), []);

  const run = async (kind, lines) => {
    const control = abort.current = new AbortController(), told = new Map();
    setRunning({ kind, done: 0, all: lines.length });
    await runThrough(lines, common, {
      dryRun: kind === "judge", abort: control.signal, waits: setWaiting,
      said: (line, news) => {
        told.set(line.number, news);
        setRows((before) => before.map((row) => (row.number === line.number ? { ...row, ...news } : row)));
        if (news.standing !== "busy") setRunning((before) => before && { ...before, done: before.done + 1 });
      },
    });
    setRunning(null);
    setWaiting(false);
    const idle = kind === "judge" ? "waiting" : "good"; /* of what was stopped */
    setRows((before) => before.map((row) => (row.standing === "busy" ? { ...row, standing: idle } : row)));
    return told;
  };

  const judge = async () => {
    const lines = linesOf(box, remembered.current, used);
    setOutcome(null);
    setRows(lines.map((line) => ({ ...line, standing: line.words ? "bad" : "waiting" })));
    setBox(hidden(box, lines));
    await run("judge", lines.filter((line) => !line.words));
  };
  const apply = async () => {
    const told = await run("apply", rows.filter((row) => row.standing === "good"));
    const left = rows.filter((row) => told.get(row.number)?.standing !== "done");
    const places = new Map(left.map((row, at) => [row.number, at + 1]));
    setBox(left.map(asLine).join("\n"));
    setRows((before) => before.map((row) => ({ ...row, line: places.get(row.number) ?? "" })));
    setOutcome({ done: rows.length - left.length, left: left.length });
  };
  return {
    rows, running, isWaiting, outcome, judge, apply,
    num: box.split("\n").filter((line) => line.trim() && !line.trim().startsWith("#")).length,
    stop: () => abort.current?.abort(),
    reset: () => { setRows([]); setOutcome(null); },
  };
}

/* The box with its logins hidden: comments and blank lines stay where they are. */
function hidden(box, lines) {
  const byNumber = new Map(lines.map((line) => [line.number, line]));
  return box.split("\n").map((raw, at) => (byNumber.has(at + 1) ? asLine(byNumber.get(at + 1)) : raw)).join("\n");
}

function Progress({ batch: { running, isWaiting } }) {
  if (!running) return null;
  const words = text(running.kind === "judge" ? "addJudging" : "addApplying", running.done, running.all);
  return html`<progress max=${running.all} value=${running.done} aria-label=${words} />
    <span role="status">${isWaiting ? text("addWaits") : words}</span>`;
}

function Outcome({ batch: { outcome } }) {
  if (!outcome) return null;
  const words = outcome.left ? text("addResult", outcome.done, outcome.left) : text("addAllDone", outcome.done);
  return html`<p class=${outcome.left ? "warn" : "good"} role="status">${words} <a href=${to(["wall"])}>${text("addToWall")}</a></p>`;
}

const Rows = ({ rows }) => html`<div class="scroll" tabindex="0" role="group" aria-label=${text("addVerdict")}><table class="add-rows">
  <thead><tr>${["addLine", "addName", "addId", "addSource", "addVerdict"].map((name) => html`<th scope="col">${text(name)}</th>`)}</tr></thead>
  <tbody>${rows.map((row) => html`<tr key=${row.number}>
    <td class="number">${row.line ?? row.number}</td>
    <td><bdi>${row.name}</bdi></td>
    <td class="mono">${row.standing === "done" ? html`<a href=${to(["camera", row.id])}>${row.id}</a>` : row.id}</td>
    <td class="mono">${row.seen ?? row.shown}</td>
    <td class=${LOOKS[row.standing] ?? "faint"}>${row.words ?? text(VERDICTS[row.standing])}</td>
  </tr>`)}</tbody>
</table></div>`;
