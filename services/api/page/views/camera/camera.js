/* One camera: what it shows, how it was scored, what happened, and what is asked of it. */
import { ask, askWithHead, may } from "../../lib/api.js";
import { durationOf, numberOf, present } from "../../lib/clock.js";
import { html, useCallback, useEffect, useMemo, useRef, useSignal, useState } from "../../lib/html.js";
import { arrive, narrow, to } from "../../lib/router.js";
import { isFile, lookedAt } from "../../lib/standing.js";
import { Retry, StateWord, whyOf } from "../../lib/standing_shown.js";
import { text } from "../../lib/strings.js";
import { useTitle } from "../../lib/title.js";
import { Age, Dialog, Empty, Field, Question, Shown, Time, Trouble } from "../../lib/ui.js";
import { useAction, useAsked, useIsHere, useRead } from "../../lib/use.js";
import { Delivery } from "./delivery.js";
import { pathOf } from "./draft.js";
import { Happened } from "./happened.js";
import { History } from "./history.js";
import { limitsOf } from "./limits.js";
import { Picture } from "./picture.js";
import { Scores } from "./scores.js";
import { Settings } from "./settings.js";
import { Span } from "./span.js";
import { Thresholds } from "./thresholds.js";
import "./words.js";

const EVERY_MS = 2000;
const MODELS_MS = 60_000;
const NOT_THERE = [404, 422]; /* removed, or not even an id */

export const Camera = ({ path, query }) => html`<${OneCamera} key=${path[0]} id=${path[0] ?? ""}
  tab=${query.get("tab")} atMs=${Number(query.get("at")) || null} />`;

function OneCamera({ id, tab, atMs }) {
  const asked = useKnown(id);
  useTitle(asked.data?.stream.name);
  if (NOT_THERE.includes(asked.problem?.status)) return html`<${Empty}>${text("cameraUnknown", id)} <a href=${to(["wall"])}>${text("wall")}</a><//>`;
  return html`<${Shown} of=${asked}>${(known) => html`<${CameraPage} known=${known} isStale=${asked.problem !== null} take=${asked.take} tab=${tab} atMs=${atMs} />`}<//>`;
}

/* The camera with its ETag and where it stands, read every two seconds; `take(answer)` takes in what a change was answered with. */
function useKnown(id) {
  const [taken, setTaken] = useState(null);
  const seen = useRef(undefined);
  const knownOf = ({ body, headers }) => {
    const looked = lookedAt(body, seen.current, present());
    seen.current = looked.seen;
    return { stream: body, standing: looked.standing, etag: headers.get("ETag") };
  };
  const read = useCallback(async (abort) => knownOf(await askWithHead("GET", `/v1/streams/${encodeURIComponent(id)}`, { abort })), [id]);
  const asked = useRead(read, [id], EVERY_MS);
  useEffect(() => setTaken(null), [asked.readAt, id]);
  return { ...asked, data: taken ?? asked.data, take: (answer) => { setTaken(knownOf(answer)); asked.again(); } };
}

function CameraPage({ known, isStale, take, tab, atMs }) {
  const { stream } = known;
  const models = useAsked("/v1/models", {}, MODELS_MS);
  const trial = useSignal(null), latest = useSignal(stream);
  latest.value = stream;
  const { scores, happened, span } = useTime(stream.id, latest);
  useEffect(() => { if (atMs) span.look(atMs); }, [span, atMs]); /* a link may lead to a moment */
  const model = modelOf(models.data?.items ?? [], stream);
  const limits = useMemo(() => limitsOf(model, stream), [model, JSON.stringify(stream.thresholds)]);
  const labels = model?.labels ?? [];
  const zone = stream.schedule?.time_zone ?? null;
  return html`<article class="camera">
    <header class="top"><h1><bdi>${stream.name}</bdi></h1><div class="standing"><${State} known=${known} isStale=${isStale} /></div>
      ${may("operator") && html`<${Actions} known=${known} after=${take} />`}</header>
    <div class="watched">
      <${Picture} stream=${stream} span=${span} happened=${happened} zone=${zone} />
      <${History} stream=${stream} scores=${scores} span=${span} happened=${happened} labels=${labels} limits=${limits} trial=${trial} />
    </div>
    <div class="asked">
      <${Asked} known=${known} model=${model} models=${models} labels=${labels} trial=${trial} span=${span} after=${take} tab=${tab} />
      <${Facts} stream=${stream} zone=${zone} />
    </div>
  </article>`;
}

/* Scores, events and the time that is seen of them, as long as the camera is. */
function useTime(streamId, latest) {
  const time = useMemo(() => {
    const scores = new Scores(streamId);
    const edge = (nowMs) => {
      const { last_frame_at_ms: frameMs, base_ms: baseMs } = latest.value;
      scores.changed.value;
      return isFile(latest.value) ? Math.max(scores.lastMs ?? 0, frameMs ?? baseMs) : nowMs;
    };
    const oldest = () => Math.min(latest.peek().created_at_ms, latest.peek().base_ms);
    return { scores, happened: new Happened(streamId), span: new Span(edge, oldest) };
  }, [streamId]);
  useEffect(() => () => { time.scores.stop(); time.happened.stop(); }, [time]);
  return time;
}

/* The model that looks at a camera, or else the one that it asks for. */
function modelOf(models, stream) {
  return models.find((each) => each.reference === stream.running_model) ?? models.find((each) => each.name === stream.model && each.reference) ?? null;
}

/* Forms, one seen at a time: what was typed into another stays there. Whoever may change nothing may still try thresholds. */
function Asked({ known, model, models, labels, trial, span, after, tab }) {
  const tabs = ["thresholds", ...(may("operator") ? ["settings", "delivery"] : [])];
  const shown = tabs.includes(tab) ? tab : "thresholds";
  return html`<section class="panel forms">
    <div class="bar tabs" role="group" aria-label=${text("cameraForms")}>${tabs.map((each) => html`<button type="button" key=${each}
      aria-pressed=${each === shown ? "true" : "false"} onClick=${() => narrow({ tab: each })}>${text(`cameraTab_${each}`)}</button>`)}</div>
    <div hidden=${shown !== "thresholds"}><${Thresholds} known=${known} model=${model} models=${models} trial=${trial} span=${span} after=${after} /></div>
    ${may("operator") && html`<div hidden=${shown !== "settings"}><${Settings} known=${known} models=${models.data?.items ?? []} after=${after} /></div>
      <div hidden=${shown !== "delivery"}><${Delivery} known=${known} labels=${labels} after=${after} /></div>`}
  </section>`;
}

/* What is done with a camera at once: pause and resume, a new usual view, and its removal. */
function Actions({ known: { stream, etag }, after }) {
  const [asking, setAsking] = useState(null);
  const pausing = useAction(() => askWithHead("POST", `${pathOf(stream)}/${stream.paused ? "resume" : "pause"}`));
  const turn = async () => { const done = await pausing.run(); if (done) after(done); };
  const close = () => setAsking(null);
  return html`<div class="bar actions">
    <button type="button" onClick=${turn} disabled=${pausing.isRunning}>${text(stream.paused ? "cameraResume" : "cameraPause")}</button>
    <button type="button" onClick=${() => setAsking("forget")}>${text("cameraNewNormal")}</button>
    <button type="button" class="danger" onClick=${() => setAsking("remove")}>${text("cameraRemove")}</button>
    <${Trouble} problem=${pausing.problem} />
    ${asking === "forget" && html`<${Forget} stream=${stream} after=${after} close=${close} />`}
    ${asking === "remove" && html`<${Remove} stream=${stream} etag=${etag} close=${close} />`}
  </div>`;
}

function Forget({ stream, after, close }) {
  const act = async () => after(await askWithHead("POST", `${pathOf(stream)}/forget`));
  return html`<${Question} title=${text("cameraNewNormal")} yes=${text("cameraForget")} act=${act} onClose=${close} onDone=${close}>
    <p>${text("cameraForgetWhat")}</p><p class="faint">${text("cameraForgetWhen")}</p>
  <//>`;
}

function Remove({ stream, etag, close }) {
  const [typed, setTyped] = useState(""), isHere = useIsHere();
  const removing = useAction(async () => { await ask("DELETE", pathOf(stream), { headers: { "If-Match": etag } }); return true; });
  const submit = async (event) => {
    event.preventDefault();
    if (typed.trim() === stream.name.trim() && (await removing.run()) && isHere()) arrive(to(["wall"]));
  };
  return html`<${Dialog} title=${text("cameraRemoveTitle")} onClose=${close}>
    <form onSubmit=${submit}>
      <p>${text("cameraRemoveWhat")}</p>
      <p><strong><bdi>${stream.name}</bdi></strong></p>
      <${Field} label=${text("cameraTypeName")}>
        ${(field) => html`<input ...${field} dir="auto" autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)} />`}<//>
      <${Trouble} problem=${removing.problem} />
      <div class="bar end"><button type="button" onClick=${close}>${text("cancel")}</button>
        <button type="submit" class="danger" disabled=${typed.trim() !== stream.name.trim() || removing.isRunning}>${text("remove")}</button></div>
    </form>
  <//>`;
}

/* Where a camera stands: state with its reason, what its source is, how many frames went which way. */
/* The state in a word, as its tile has it, and why. */
function State({ known: { stream, standing }, isStale }) {
  const why = isStale ? null : whyOf(standing);
  return html`<${StateWord} standing=${standing} isStale=${isStale} />
    ${why && html`<span class="reason">${why}</span>`}
    ${!isStale && standing.nextAttemptAtMs && html`<${Retry} atMs=${standing.nextAttemptAtMs} />`}
    ${stream.maintenance && html`<span class="tag warn">${text("cameraInMaintenance")}</span>`}`;
}

function Facts({ stream, zone }) {
  const size = stream.width && text("cameraPixels", stream.width, stream.height);
  const facts = [
    ["cameraCodec", [stream.codec, size].filter(Boolean).join(", ")],
    ["cameraRates", [stream.source_fps && text("cameraSourceRate", numberOf(stream.source_fps, 2)), text("cameraLookedAt", numberOf(stream.fps, 2))].filter(Boolean).join(", ")],
    ["cameraDuration", stream.duration_seconds && durationOf(stream.duration_seconds * 1000)],
    ["cameraModel", stream.running_model ?? text("cameraNoModel", stream.model)],
    ["cameraLastFrame", stream.last_frame_at_ms && html`<${isFile(stream) ? Time : Age} ms=${stream.last_frame_at_ms} zone=${zone} />`],
    ["cameraEpoch", numberOf(stream.epoch)],
    ["cameraPublished", numberOf(stream.frames_published)],
    ["cameraProcessed", numberOf(stream.frames_processed)],
    ["cameraDropped", html`<span class=${stream.frames_dropped ? "warn" : ""}>${numberOf(stream.frames_dropped)}</span>`],
    ["cameraLag", text("cameraFrames", numberOf(stream.lag_frames))],
    ["cameraSource", html`<span class="mono">${stream.source}</span>`],
    ["cameraGroups", [...stream.groups, ...stream.tags].join(", ")],
    ["cameraSince", html`<${Time} ms=${stream.created_at_ms} zone=${zone} />`],
  ];
  return html`<section class="panel" aria-labelledby="facts-title">
    <header><h2 id="facts-title">${text("cameraFacts")}</h2></header>
    <dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${text(name)}</dt><dd>${value}</dd></div>`)}</dl>
  </section>`;
}
