/* One event: what was seen, why it fired, and what people say of it. */
import { ask, may } from "../../lib/api.js";
import { durationOf, timeInFull, timeOf } from "../../lib/clock.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { follow } from "../../lib/live.js";
import { go, to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { Empty, Field, Shown, Tag, Time, Trouble } from "../../lib/ui.js";
import { useUnsaved } from "../../lib/unsaved.js";
import { useAction, useIsHere, useKeys, useRead } from "../../lib/use.js";
import { ACTS, judge, mayDo, remove, setReviewed } from "./acts.js";
import { AskDelete } from "./bulk.js";
import { placeOf } from "./card.js";
import { isComing } from "./freshen.js";
import { streamOf } from "./names.js";
import { neighbours } from "./neighbours.js";
import { filtersOf } from "./query.js";
import { ScoreChart } from "./scores.js";
import { Film, Large } from "./sights.js";
import { Why } from "./why.js";
import "./event_words.js";
import "./words.js";

const SOON_MS = 2500, LATER_MS = 15_000;

export function EventPage({ path: [id], query }) {
  const [everyMs, setEvery] = useState(0);
  const read = useRead((abort) => ask("GET", `/v1/events/${encodeURIComponent(id)}`, { abort }), [id], everyMs);
  const event = read.data?.id === id ? read.data : undefined;
  useEffect(() => { if (event) setEvery(event.state === "open" || isComing(event) === "soon" ? SOON_MS : isComing(event) ? LATER_MS : 0); }, [event]);
  useEffect(() => follow((kind, told) => { if (!told || told.id === id || told.ids?.includes(id)) read.again(); }), [id]);
  useEffect(() => scrollTo(0, 0), [id]);
  useMarkReviewed(event);
  const isGone = read.problem?.status === 404 || read.problem?.status === 422;
  if (isGone) return html`<${Empty}><p>${text("eventGone")}</p><p><a href=${backTo(query)}>${text("eventBack")}</a></p><//>`;
  return html`<${Shown} of=${{ ...read, data: event, isLoading: !event && !read.problem }}>${(shown) => html`<${Whole} event=${shown} query=${query} again=${read.again} />`}<//>`;
}

/* Who looks at an event has reviewed it. */
function useMarkReviewed(event) {
  const marked = useRef(null);
  useEffect(() => {
    if (!event || marked.current === event.id) return;
    marked.current = event.id;
    if (!event.reviewed) setReviewed(event, true).catch(() => { marked.current = null; });
  }, [event]);
}

const backTo = (query) => to(["review"], query);

function Whole({ event, query, again }) {
  const stream = streamOf(event.stream_id), search = useRef(query);
  search.current = query;
  const acting = useAction(async (name) => { await ACTS[name](event); again(); }), verdict = useVerdict(event, again);
  const beside = useRead((abort) => neighbours(event, filtersOf(search.current), abort), [event.id, String(query)]).data;
  const move = useMove(beside, search);
  const act = (name, { run } = acting) => () => mayDo(name) && run(name);
  useKeys({
    j: () => move("older"), ArrowRight: () => move("older"), k: () => move("newer"), ArrowLeft: () => move("newer"),
    r: act("right", verdict), w: act("wrong", verdict), a: act("acknowledge"), s: act("keep"), v: act("reviewed"), Escape: () => { location.hash = backTo(query); },
  });
  return html`<div class="event-page">
    <${Head} event=${event} stream=${stream} query=${query} beside=${beside} />
    <${Trouble} problem=${acting.problem} />
    <div class="columns">
      <div>
        <section class="panel"><header><h2>${text("eventSeen")}</h2></header><${Large} event=${event} stream=${stream} /></section>
        <div class="beside">
          <section class="panel"><header><h2>${text("eventClip")}</h2></header><${Film} event=${event} stream=${stream} /></section>
          <section class="panel"><header><h2>${text("eventScores")}</h2></header><${ScoreChart} event=${event} /></section>
        </div>
      </div>
      <div>
        <section class="panel"><header><h2>${text("eventPeople")}</h2></header><${People} event=${event} acting=${acting} verdict=${verdict} /></section>
        <section class="panel"><header><h2>${text("eventWhy")}</h2></header><${Why} event=${event} stream=${stream} /></section>
        <${Memory} event=${event} />
        ${may("operator") && html`<${Delete} key=${event.id} event=${event} onGone=${() => (beside?.older ? move("older") : go(["review"]))} />`}
      </div>
    </div>
  </div>`;
}

/* Goes to the older or newer event, as soon as it is known which that is. */
function useMove(beside, search) {
  const wish = useRef(null);
  const move = (side) => {
    wish.current = beside ? null : side;
    if (beside?.[side]) location.hash = placeOf(beside[side], search.current);
  };
  useEffect(() => { if (beside && wish.current) move(wish.current); }, [beside]);
  return move;
}

function Head({ event, stream, query, beside }) {
  const beforeMs = event.state === "open" ? text("eventOpen") : durationOf(event.ended_at_ms - event.started_at_ms);
  const link = (other, words) => (other ? html`<a class="button" href=${placeOf(other, query)}>${text(words)}</a>`
    : html`<span class="button faint" aria-disabled="true">${text(words)}</span>`);
  return html`<div class="bar">
    <h1><${Tag} label=${event.label} /> <bdi>${stream.name}</bdi></h1>
    <span title=${timeInFull(event.started_at_ms, stream.zone)}><${Time} ms=${event.started_at_ms} zone=${stream.zone} /></span>
    <span class=${event.state === "open" ? "is-open" : "faint"}>${beforeMs}</span>
    ${event.severity === "notice" && html`<span class="faint">${text("eventNotice")}</span>`}
    <span class="grow"></span>
    ${link(beside?.newer, "eventNewer")} ${link(beside?.older, "eventOlder")}
    <a class="button" href=${to(["camera", event.stream_id], { at: event.started_at_ms })}>${text("eventCamera")}</a>
    <a class="button" href=${backTo(query)}>${text("eventBack")}</a>
  </div>`;
}

function Delete({ event, onGone }) {
  const [isAsked, setAsked] = useState(false), isHere = useIsHere();
  return html`<p><button type="button" class="danger" onClick=${() => setAsked(true)}>${text("actDelete")}</button></p>
    ${isAsked && html`<${AskDelete} num=${1} act=${() => remove(event)} onClose=${() => setAsked(false)} onDone=${() => isHere() && onGone()} />`}`;
}

/* What people say of an event, and, for operators, what they may say. */
const by = (mark) => text("peopleBy", mark.by ?? text("eventSomebody"), timeOf(mark.at_ms));

function People({ event, acting, verdict }) {
  const button = (name, words) => html`<button type="button" disabled=${acting.isRunning} onClick=${() => acting.run(name)}>${text(words)}</button>`;
  const { acknowledged, kept, reviewed } = event, isOperator = may("operator");
  return html`<dl class="why">
    <dt>${text("peopleJudged")}</dt><dd><${Judged} event=${event} verdict=${verdict} /></dd>
    <dt>${text("peopleAcknowledged")}</dt><dd class="line"><span>${acknowledged ? by(acknowledged) : text("peopleNobody")}</span>
      ${isOperator && !acknowledged && button("acknowledge", "peopleAcknowledge")}</dd>
    <dt>${text("peopleKept")}</dt><dd class="line"><span>${kept ? by(kept) : text("peopleNobody")}</span>
      ${isOperator && button("keep", kept ? "peopleLetGo" : "peopleKeep")}</dd>
    <dt>${text("peopleReviewed")}</dt><dd class="line"><span>${text(reviewed ? "peopleByYou" : "peopleNotByYou")}</span>
      ${button("reviewed", reviewed ? "peopleMarkUnreviewed" : "peopleMarkReviewed")}</dd>
  </dl>`;
}

/* Says a verdict with the note that is typed, which follows the saved one unless it was typed anew. */
function useVerdict(event, again) {
  const saved = event.feedback?.note ?? "", [note, type] = useState(saved), before = useRef(saved);
  useUnsaved(() => note.trim() !== saved.trim());
  useEffect(() => { const was = before.current; type((now) => (now.trim() === was.trim() ? saved : now)); before.current = saved; }, [saved]);
  useEffect(() => type(saved), [event.id]);
  return { note, type, ...useAction(async (verdict) => { await judge(event, verdict, note.trim()); again(); }) };
}

/* The verdict, and a form for it: the note is sent with either button or key. */
function Judged({ event: { feedback }, verdict: { note, type, run, isRunning, problem } }) {
  const said = feedback ? text("peopleSays", text(feedback.verdict === "right" ? "actRight" : "actWrong"), feedback.by ?? text("eventSomebody"), timeOf(feedback.at_ms))
    : text("peopleNobody");
  const button = (verdict, words) => html`<button type="button" disabled=${isRunning} aria-pressed=${String(feedback?.verdict === verdict)}
    title=${feedback?.verdict === verdict && feedback.note === note.trim() ? text("peopleTakeBack") : undefined} onClick=${() => run(verdict)}>${text(words)}</button>`;
  if (!may("operator")) return html`${said}${feedback?.note && html`<p><bdi>${feedback.note}</bdi></p>`}`;
  return html`${said}
    <${Field} label=${text("peopleNote")} hint=${text("peopleNoteHint")} error=${problem?.of("note")}>
      ${(given) => html`<textarea ...${given} maxlength="1000" value=${note} onInput=${(typed) => type(typed.target.value)}></textarea>`}<//>
    <${Trouble} problem=${problem?.of("note") ? null : problem} />
    <div class="bar">${button("right", "actRight")}${button("wrong", "actWrong")}</div>`;
}

/* What memory is worth to an event's label, from its model's card; nothing where there is no such table. */
const FIGURES = [["memoryWith", "ap_with_memory"], ["memoryOne", "ap_one_frame"], ["memoryShuffled", "ap_shuffled"]];

function Memory({ event }) {
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
