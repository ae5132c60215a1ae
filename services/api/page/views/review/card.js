/* One event in the grid: before, opening and peak, the clip over them while it plays, and what people say of it. */
import { html, useRef } from "../../lib/html.js";
import { durationOf, now, timeInFull, timeOf } from "../../lib/clock.js";
import { to } from "../../lib/router.js";
import { text } from "../../lib/strings.js";
import { Tag, hueOf } from "../../lib/ui.js";
import { ACTS, isDone, mayDo } from "./acts.js";
import { Clip } from "./clip.js";
import { streamOf } from "./names.js";
import { KINDS, Picture, pictureName } from "./pictures.js";

const REST_MS = 250;
const ACT_WORDS = { right: "actRight", wrong: "actWrong", acknowledge: "actAcknowledge", keep: "actKeep", reviewed: "actReviewed" };

/* `room` holds what the grid keeps of all cards: the current one, the one that plays, the selected ones, and `act`. */
export function Card({ event, at, room }) {
  const stream = streamOf(event.stream_id), hover = useHover(event, room);
  const isPlaying = room.playing.value === event.id, isCurrent = room.current.value === event.id;
  const isChosen = room.chosen.value.has(event.id);
  const said = [event.label, stream.name, timeOf(event.started_at_ms)];
  const classes = ["event", hueOf(event.label), event.state, event.severity, event.reviewed && "reviewed", isChosen && "chosen"];
  return html`<article class=${classes.filter(Boolean).join(" ")} id=${`event-${event.id}`} tabindex=${isCurrent ? 0 : -1}
      aria-label=${text("eventCard", ...said)} aria-posinset=${at + 1} aria-setsize=${room.isWhole() ? room.count() : -1}
      onFocusIn=${() => { room.current.value = event.id; }}>
    <div class="sights" ...${hover}>
      ${KINDS.slice(0, 2).map((kind) => html`<figure class=${kind}><${Picture} event=${event} kind=${kind} name=${stream.name} />
        <figcaption>${pictureName(kind)}</figcaption></figure>`)}
      <figure class="peak">${isPlaying ? html`<${Clip} event=${event} name=${stream.name} autoplay />`
        : html`<${Picture} event=${event} kind="peak" name=${stream.name} />`}
        ${!isPlaying && html`<figcaption>${pictureName("peak")}</figcaption>`}</figure>
    </div>
    <${Facts} event=${event} stream=${stream} room=${room} />
    <div class="acts">
      <label class="choose"><input type="checkbox" checked=${isChosen} onChange=${() => room.choose(event.id)}
        aria-label=${text("eventSelect", ...said)} /></label>
      <${Acts} event=${event} act=${room.act} />
    </div>
  </article>`;
}

function Facts({ event, stream, room }) {
  const isOpen = event.state === "open";
  const lasts = (event.ended_at_ms ?? now.value) - event.started_at_ms;
  const marks = [
    event.acknowledged && text("eventAcknowledgedBy", event.acknowledged.by ?? text("eventSomebody")),
    event.kept && text("eventKeptBy", event.kept.by ?? text("eventSomebody")),
    event.reviewed && text("eventReviewed"),
  ].filter(Boolean);
  return html`<div class="facts">
    <p class="what"><${Tag} label=${event.label} /> <a href=${room.place(event)} dir="auto">${stream.name}</a></p>
    <p class="when"><time dateTime=${new Date(event.started_at_ms).toISOString()} title=${timeInFull(event.started_at_ms, stream.zone)}>${timeOf(event.started_at_ms)}</time>
      ${isOpen ? html` <strong class="is-open">${text("eventSince", durationOf(lasts))}</strong>` : html` · ${text("eventLasted", durationOf(lasts))}`}
      ${" · "}${text("eventPeak", event.peak_score.toFixed(2))}</p>
    <p class="marks faint small" title=${marks.join(", ")}>${marks.join(" · ")}</p>
  </div>`;
}

/* Buttons for what the caller may do with an event; the pressed ones are so. */
export function Acts({ event, act }) {
  return Object.keys(ACTS).filter(mayDo).map((name) => html`<button type="button" class=${`act ${name}`} aria-pressed=${String(isDone[name](event))}
    disabled=${name === "acknowledge" && isDone[name](event)} onClick=${() => act(name, event)}>${text(ACT_WORDS[name])}</button>`);
}

/* The clip plays while the pointer rests on the pictures, and a touch plays or stops it. */
function useHover(event, room) {
  const timer = useRef(null), isHovered = useRef(false);
  const stop = () => {
    clearTimeout(timer.current);
    if (isHovered.current && room.playing.peek() === event.id) room.playing.value = null;
    isHovered.current = false;
  };
  return {
    onPointerEnter: (pointer) => {
      if (pointer.pointerType === "touch") return;
      timer.current = setTimeout(() => { isHovered.current = true; room.playing.value = event.id; }, REST_MS);
    },
    onPointerLeave: (pointer) => pointer.pointerType !== "touch" && stop(),
    onClick: () => { if (!isHovered.current) room.play(event.id); },
  };
}

/* Where one event is shown, with the filters that its neighbours are found by. */
export const placeOf = (event, search) => to(["event", event.id], search);
