/* Many cameras, one after the other: judged, then registered; while the api is away, the next one waits for it. */
import { bodyOf, place, reasonOf } from "./wish.js";

const LATER = [0, 429, 502, 503, 504];
const LONGEST_MS = 15_000;

/* Asks for each line in turn and tells `said(line, {standing, words})` of it, and `waits(whether)` while nobody answers. */
export async function runThrough(lines, common, { dryRun, abort, said, waits }) {
  for (const line of lines) {
    said(line, { standing: "busy" });
    try {
      const view = await patiently(() => place(line.id, bodyOf({ ...common, ...line }), { dryRun, abort }), abort, waits);
      said(line, { standing: dryRun ? "good" : "done", seen: view.source, words: null });
    } catch (problem) {
      if (abort.aborted) return;
      said(line, { standing: "bad", words: reasonOf(problem) });
    }
  }
}

async function patiently(act, abort, waits) {
  for (let wait = 1000; ; wait = Math.min(LONGEST_MS, wait * 2)) {
    try {
      const done = await act();
      waits(false);
      return done;
    } catch (problem) {
      if (abort.aborted || !LATER.includes(problem.status)) { waits(false); throw problem; }
      waits(true);
      await pause(Math.max(wait, (problem.retryAfterSeconds ?? 0) * 1000), abort);
    }
  }
}

const pause = (ms, abort) => new Promise((resolve) => {
  setTimeout(resolve, ms);
  abort.addEventListener("abort", resolve, { once: true });
});
