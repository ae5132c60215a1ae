/* A source that is tried before it is kept: what it gives, or why nothing. */
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { durationOf, now, numberOf } from "../../lib/clock.js";
import { text } from "../../lib/strings.js";
import { useAction } from "../../lib/use.js";
import "./words.js";

/* {run(source, transport), isRunning, since, found, problem, clear()}: `found` is the api's answer. */
export function useProbe() {
  const [found, setFound] = useState(null), [since, setSince] = useState(0), turn = useRef(0);
  const trying = useAction((source, transport) => {
    setFound(null);
    setSince(Date.now());
    return ask("POST", "/v1/streams/probe", { body: { source, ...(transport ? { rtsp_transport: transport } : {}) } });
  });
  return {
    ...trying, since, found,
    run: async (...given) => {
      const mine = (turn.current += 1), done = await trying.run(...given);
      if (mine === turn.current) setFound(done ?? null); /* else it is of another source */
    },
    clear: () => { turn.current += 1; setFound(null); trying.clear(); },
  };
}

/* How long it is being tried already. */
export const Trying = ({ since }) => {
  now.value; /* moves once a second */
  return html`<span role="status">${text("addTrying", durationOf(Math.floor((Date.now() - since) / 1000) * 1000))}</span>`;
};

/* What a source that works gives. */
export function Found({ found, modelFps }) {
  const facts = [
    ["addCodec", found.codec ?? text("addUnstated")],
    ["addSize", found.width ? text("addPixels", found.width, found.height) : text("addUnstated")],
    ["addSourceFps", found.fps ? numberOf(found.fps, 2) : text("addUnstated")],
    ...(found.duration_seconds ? [["addLength", durationOf(found.duration_seconds * 1000)]] : []),
  ];
  const isSlow = found.fps && modelFps && found.fps < modelFps * 0.95;
  return html`<section class="add-found" aria-live="polite">
    ${found.snapshot && html`<${Snapshot} base64=${found.snapshot} />`}
    <div>
      <p class="good">${text("addWorks", durationOf(found.took_seconds * 1000))}</p>
      <dl>${facts.map(([name, value]) => html`<div><dt>${text(name)}</dt><dd>${value}</dd></div>`)}</dl>
      ${isSlow && html`<p class="warn">${text("addSlow", numberOf(found.fps, 1), numberOf(modelFps, 1))}</p>`}
    </div>
  </section>`;
}

function Snapshot({ base64 }) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const made = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [base64]);
  return url && html`<img src=${url} alt=${text("addFirstPicture")} />`;
}
