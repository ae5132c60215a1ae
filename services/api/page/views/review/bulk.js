/* What is done to all that are selected, and what is new. Its room is kept while there is nothing, so that nothing below moves. */
import { html, useState } from "../../lib/html.js";
import { may } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { Question } from "../../lib/ui.js";
import { text } from "../../lib/strings.js";
import { mayDo } from "./acts.js";

const ACTS = [["right", "actRight"], ["wrong", "actWrong"], ["acknowledge", "actAcknowledge"], ["keep", "actKeep"], ["reviewed", "actReviewed"]];

export function Bulk({ room, children }) {
  const num = room.chosen.value.size, said = room.said.value, isActing = room.isActing.value;
  const [isAsked, ask] = useState(false);
  return html`<div class="bulk">
    ${children}
    ${num > 0 && html`<strong>${text("reviewChosen", numberOf(num))}</strong>
      ${ACTS.filter(([name]) => mayDo(name)).map(([name, words]) => html`<button type="button" disabled=${isActing} onClick=${() => room.actOnChosen(name)}>${text(words)}</button>`)}
      ${may("operator") && html`<button type="button" class="danger" disabled=${isActing} onClick=${() => ask(true)}>${text("actDelete")}</button>`}
      <button type="button" class="quiet" onClick=${room.chooseNone}>${text("reviewChooseNone")}</button>`}
    ${room.count() > 0 && html`<button type="button" class="quiet" onClick=${room.chooseAll}>${text("reviewChooseAll", numberOf(room.count()))}</button>`}
    <span class=${said?.isBad ? "bad" : "faint"} role="status">${said?.words}</span>
    ${isAsked && html`<${AskDelete} num=${num} act=${() => { room.actOnChosen("delete"); }} onClose=${() => ask(false)} onDone=${() => ask(false)} />`}
  </div>`;
}

/* Asks before events go. */
export const AskDelete = ({ num, ...given }) => html`<${Question} title=${num === 1 ? text("deleteTitle") : text("deleteMany", numberOf(num))}
  yes=${text("actDelete")} ...${given}><p>${text("deleteWords")}</p><//>`;
