/* An event's clip, or why there is none; one that is to come shows by itself, as its event is asked for again. */
import { html, useEffect, useState } from "../../lib/html.js";
import { address } from "../../lib/api.js";
import { present } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";

const AGAIN_MS = 4000;
const PATIENCE_MS = 20_000;

export const clipAddress = (event) => address(`/v1/events/${event.id}/clip.mp4`).href;

/* Why there is no clip, in words; null where there is one. */
export function whyNoClip({ media, started_at_ms: startedAtMs }) {
  if (media?.clip) return null;
  if (!media) return text(present() - startedAtMs < PATIENCE_MS ? "clipComing" : "clipNobody");
  if (media.state === "recording" && !media.recorded_at_ms) return media.reason ? text("clipWaits", media.reason) : text("clipComing");
  return text("clipNone", media.reason ?? text("clipNoReason"));
}

/* `given` goes to the video: controls, ref, what it tells. One that fails is tried again. */
export function Clip({ event, name, ...given }) {
  const [failures, setFailures] = useState(0);
  const [isFailing, setFailing] = useState(false);
  useEffect(() => {
    if (!isFailing) return undefined;
    const timer = setTimeout(() => { setFailing(false); setFailures((before) => before + 1); }, AGAIN_MS);
    return () => clearTimeout(timer);
  }, [isFailing]);
  const why = whyNoClip(event) ?? (isFailing ? text("clipFailed") : null);
  if (why) return html`<p class="no-clip" role="status">${why}</p>`;
  return html`<video key=${failures} src=${clipAddress(event)} muted loop playsinline aria-label=${text("clipOf", event.label, name)}
    onError=${() => setFailing(true)} ...${given}></video>`;
}
