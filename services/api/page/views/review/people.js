/* What people say of an event, and, for operators, what they may say. */
import { html, useEffect, useState } from "../../lib/html.js";
import { may } from "../../lib/api.js";
import { timeOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { useAction } from "../../lib/use.js";
import { Field } from "../../lib/ui.js";
import { useUnsaved } from "../../lib/unsaved.js";
import { judge } from "./acts.js";

const by = (mark) => text("peopleBy", mark.by ?? text("eventSomebody"), timeOf(mark.at_ms));

export function People({ event, acting, again }) {
  const button = (name, words) => html`<button type="button" disabled=${acting.isRunning} onClick=${() => acting.run(name)}>${text(words)}</button>`;
  const { acknowledged, kept, reviewed } = event, isOperator = may("operator");
  return html`<dl class="why">
    <dt>${text("peopleJudged")}</dt><dd><${Judged} event=${event} again=${again} /></dd>
    <dt>${text("peopleAcknowledged")}</dt><dd class="line"><span>${acknowledged ? by(acknowledged) : text("peopleNobody")}</span>
      ${isOperator && !acknowledged && button("acknowledge", "peopleAcknowledge")}</dd>
    <dt>${text("peopleKept")}</dt><dd class="line"><span>${kept ? by(kept) : text("peopleNobody")}</span>
      ${isOperator && button("keep", kept ? "peopleLetGo" : "peopleKeep")}</dd>
    <dt>${text("peopleReviewed")}</dt><dd class="line"><span>${text(reviewed ? "peopleByYou" : "peopleNotByYou")}</span>
      ${button("reviewed", reviewed ? "peopleMarkUnreviewed" : "peopleMarkReviewed")}</dd>
  </dl>`;
}

/* The verdict, and a form for it: the note is sent with either button. */
function Judged({ event, again }) {
  const { feedback } = event, [note, setNote] = useState(feedback?.note ?? "");
  const judging = useAction(async (verdict, words) => { await judge(event, verdict, words); again(); });
  useUnsaved(() => note !== (feedback?.note ?? ""));
  useEffect(() => setNote(feedback?.note ?? ""), [event.id, feedback?.note]);
  const said = feedback ? text("peopleSays", text(feedback.verdict === "right" ? "actRight" : "actWrong"), feedback.by ?? text("eventSomebody"), timeOf(feedback.at_ms))
    : text("peopleNobody");
  const say = (verdict) => () => judging.run(verdict, note.trim());
  const button = (verdict, words) => html`<button type="button" disabled=${judging.isRunning} aria-pressed=${String(feedback?.verdict === verdict)}
    title=${feedback?.verdict === verdict && feedback.note === note.trim() ? text("peopleTakeBack") : undefined} onClick=${say(verdict)}>${text(words)}</button>`;
  if (!may("operator")) return html`${said}${feedback?.note && html`<p><bdi>${feedback.note}</bdi></p>`}`;
  const problem = judging.problem;
  return html`${said}
    <${Field} label=${text("peopleNote")} hint=${text("peopleNoteHint")} error=${problem && (problem.of("note") ?? (problem.message || text("away")))}>
      ${(given) => html`<textarea ...${given} maxlength="1000" value=${note} onInput=${(typed) => setNote(typed.target.value)}></textarea>`}<//>
    <div class="bar">${button("right", "actRight")}${button("wrong", "actWrong")}</div>`;
}
