/* Tries a source before it is saved: whether it gives pictures, which, or why not. */
import { html, useEffect, useState } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { numberOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { useAction } from "../../lib/use.js";

const HIDDEN = "***";

export function Probe({ source, transport }) {
  const [found, setFound] = useState(null);
  const probing = useAction(() => ask("POST", "/v1/streams/probe", { body: { source, rtsp_transport: transport } }));
  useEffect(() => { setFound(null); probing.clear(); }, [source, transport]);
  const isHidden = source.includes(HIDDEN);
  const run = async () => { setFound(null); setFound((await probing.run()) ?? null); };
  return html`<div class="probe">
    <div class="bar"><button type="button" onClick=${run} disabled=${isHidden || !source || probing.isRunning}>${text(probing.isRunning ? "cameraProbing" : "cameraProbe")}</button>
      ${isHidden && html`<span class="faint small">${text("cameraProbeHidden")}</span>`}</div>
    <div aria-live="polite">
      ${probing.problem && html`<p class="trouble">${probing.problem.status === 0 ? text("away") : probing.problem.message}</p>`}
      ${found && (found.ok ? html`<${Gives} found=${found} />` : html`<p class="trouble">${text("cameraProbeFailed", found.reason)}</p>`)}
    </div>
  </div>`;
}

function Gives({ found }) {
  const url = usePicture(found.snapshot);
  const words = [found.codec, found.width && text("cameraPixels", found.width, found.height),
    found.fps && text("cameraSourceRate", numberOf(found.fps, 2)), text("cameraProbeTook", numberOf(found.took_seconds, 1))];
  return html`<p class="good">${text("cameraProbeGood")}</p><p class="faint">${words.filter(Boolean).join(", ")}</p>
    ${url && html`<img src=${url} alt=${text("cameraProbeAlt")} />`}`;
}

/* Base64 as an address that the page's policy lets it show. */
function usePicture(base64) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    if (!base64) { setUrl(null); return undefined; }
    const made = URL.createObjectURL(new Blob([Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))], { type: "image/jpeg" }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [base64]);
  return url;
}
