/* Where a stream stands, as it is shown: the word with its sign, why it is so, and when it is tried again. */
import { durationOf, now } from "./clock.js";
import { html } from "./html.js";
import { SIGNS, TONES } from "./standing.js";
import { text } from "./strings.js";

/* Beside the word, so that nobody has to tell colours apart. `isStale`: the api could not say how it stands now. */
export function StateWord({ standing: { state, isTroubled }, isStale }) {
  if (isStale) {
    return html`<span class="state faint" title=${text("standsWas", text(`stands_${state}`))}><span aria-hidden="true">?</span> ${text("standsNotKnown")}</span>`;
  }
  const isDoubtful = isTroubled && state === "live";
  return html`<span class=${`state ${isDoubtful ? "warn" : TONES[state]}`}><span aria-hidden="true">${isDoubtful ? "!" : SIGNS[state]}</span> ${text(`stands_${state}`)}</span>`;
}

/* What there is to say of how it stands, or null. */
export function whyOf({ reason, silentSinceMs, pendingSinceMs, isBehind, lagMs }) {
  if (reason) return reason;
  if (silentSinceMs) return text("standsSilent", durationOf(now.value - silentSinceMs));
  if (isBehind) return text("standsBehind", durationOf(lagMs));
  return pendingSinceMs ? text("standsNotTakenUp", durationOf(now.value - pendingSinceMs)) : null;
}

/* When one that gives nothing is tried again. */
export function Retry({ atMs }) {
  const restMs = atMs - now.value;
  return html`<span class="faint">${restMs < 1000 ? text("standsRetryNow") : text("standsRetry", durationOf(restMs))}</span>`;
}
