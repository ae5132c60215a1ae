/* The review by keyboard, and the list of its keys. */
import { html, useEffect } from "../../lib/html.js";
import { may } from "../../lib/api.js";
import { text } from "../../lib/strings.js";
import { useKeys } from "../../lib/use.js";
import { Dialog } from "../../lib/ui.js";

const OPERATORS = [["r", "keyRight"], ["w", "keyWrong"], ["a", "keyAcknowledge"], ["s", "keyKeep"]];
const EVERYBODYS = [["j →", "keyNext"], ["k ←", "keyPrevious"], ["↓ ↑", "keyRow"], ["v", "keyReviewed"], ["Space", "keyClip"], ["Enter", "keyOpen"],
  ["x", "keySelect"], ["Esc", "keyNone"], ["?", "keyHelp"]];

/* `hand` is the grid's. */
export function useReviewKeys(room, hand, showHelp) {
  const items = () => room.list.items.peek();
  const at = () => items().findIndex((event) => event.id === room.current.peek());
  const go = (to) => {
    const target = items()[Math.max(0, Math.min(items().length - 1, to))];
    if (!target) return;
    room.current.value = target.id;
    hand.current.reveal(items().indexOf(target));
    focusSoon(target.id);
  };
  const step = (by) => go(at() < 0 ? 0 : at() + by);
  const on = (act) => () => { const event = room.event(room.current.peek()); if (event) act(event); };
  const doing = (name) => on((event) => room.act(name, event));
  useKeys({
    j: () => step(1), k: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
    ArrowDown: () => step(hand.current.columns), ArrowUp: () => step(-hand.current.columns),
    r: doing("right"), w: doing("wrong"), a: doing("acknowledge"), s: doing("keep"), v: doing("reviewed"),
    " ": on((event) => room.play(event.id)), Enter: on((event) => { location.hash = room.place(event); }),
    x: on((event) => room.choose(event.id)), Escape: () => { room.chooseNone(); room.playing.value = null; }, "?": showHelp,
  });
  useEffect(() => { /* the first is current until somebody goes elsewhere, so that Tab reaches it */
    if (at() < 0 && items().length) room.current.value = items()[0].id;
  }, [room.list.items.value]);
}

function focusSoon(id, tries = 5) {
  requestAnimationFrame(() => {
    const card = document.getElementById(`event-${id}`);
    if (card) card.focus({ preventScroll: true });
    else if (tries) focusSoon(id, tries - 1);
  });
}

export function KeysHelp({ onClose }) {
  const keys = may("operator") ? [...EVERYBODYS.slice(0, 3), ...OPERATORS, ...EVERYBODYS.slice(3)] : EVERYBODYS;
  return html`<${Dialog} title=${text("reviewKeysTitle")} onClose=${onClose}><dl class="keys">
    ${keys.map(([key, words]) => html`<div><dt>${key.split(" ").map((each) => html`<kbd>${each}</kbd> `)}</dt><dd>${text(words)}</dd></div>`)}
  </dl><//>`;
}
