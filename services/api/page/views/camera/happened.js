/* A stream's events around the time that is looked at, kept up to date by the feed; bounded. */
import { signal } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { follow, open } from "../../lib/live.js";

export const MAX_SHOWN = 500;
const MAX_KEPT = 2000;
const MARGIN_MS = 600_000; /* so long before what is seen one may have begun that ends in it */
const PAUSE_MS = 250;
const AROUND_MS = 60_000; /* no clip goes further before or after its event's opening */
const AGAIN_MS = 2000;

export class Happened {
  constructor(streamId) {
    this.streamId = streamId;
    this.events = signal(new Map());
    this.problem = signal(null);
    this.isCut = signal(false); /* whether more happened than was asked for */
    this.abort = new AbortController();
    this.span = null;
    this.asked = null;
    this.timer = null;
    this.lookedAt = new Map(); /* event id → when its clip was last asked for */
    this.leave = follow((kind, event) => this.#hear(kind, event));
  }

  stop() {
    this.leave();
    this.abort.abort();
    clearTimeout(this.timer);
  }

  /* Those that are seen from one time to another: they began in it, or last until then. */
  seen(fromMs, toMs) {
    const all = new Map(this.events.value);
    for (const event of open.value.values()) if (event.stream_id === this.streamId) all.set(event.id, event);
    return [...all.values()].filter((each) => each.started_at_ms < toMs && (each.ended_at_ms ?? Infinity) >= fromMs);
  }

  /* Has what happened between these times loaded, once no other wish has come for a moment. */
  want(fromMs, toMs) {
    this.span = [Math.max(0, Math.floor(fromMs - MARGIN_MS)), Math.ceil(toMs)];
    const [since, until] = this.asked ?? [Infinity, -Infinity];
    if (this.span[0] >= since && this.span[1] <= until) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#load(), PAUSE_MS);
  }

  /* The event whose clip shows a time, within `nearMs`, or undefined. The feed does not tell of clips: where one may have
     been cut meanwhile, its event is read anew. */
  async withClip(ms, nearMs) {
    const all = () => [...new Map([...open.value, ...this.events.value]).values()].filter((each) => each.stream_id === this.streamId);
    const shows = ({ media }) => media?.clip && ms >= media.clip.from_ms - nearMs && ms <= media.clip.to_ms + nearMs;
    const found = all().find(shows);
    if (found) return found;
    const may = all().find((each) => (each.media?.state ?? "recording") === "recording" && Math.abs(each.started_at_ms - ms) < AROUND_MS
      && Date.now() - (this.lookedAt.get(each.id) ?? 0) > AGAIN_MS);
    if (!may) return undefined;
    this.lookedAt.set(may.id, Date.now());
    this.#take([await ask("GET", `/v1/events/${encodeURIComponent(may.id)}`, { abort: this.abort.signal })]);
    return this.withClip(ms, nearMs);
  }

  async #load() {
    const [since, until] = this.span;
    const ahead = until + MARGIN_MS; /* what comes until then, the feed tells */
    try {
      const query = { stream_id: this.streamId, since_ms: since, until_ms: ahead, limit: MAX_SHOWN };
      const page = await ask("GET", "/v1/events", { query, abort: this.abort.signal });
      this.#take(page.items);
      this.isCut.value = page.next !== null;
      this.asked = [since, ahead];
      this.problem.value = null;
    } catch (problem) {
      if (this.abort.signal.aborted) return;
      this.problem.value = problem;
      if (![401, 403, 404, 422].includes(problem.status)) this.timer = setTimeout(() => this.#load(), 3000);
    }
  }

  #take(items) {
    const next = new Map(this.events.value);
    for (const event of items) next.set(event.id, event);
    if (next.size > MAX_KEPT) {
      const far = (event) => Math.abs(event.started_at_ms - this.span[1]);
      for (const event of [...next.values()].sort((a, b) => far(b) - far(a)).slice(0, next.size - MAX_KEPT)) next.delete(event.id);
    }
    this.events.value = next;
  }

  #hear(kind, event) {
    if (kind === "gap") {
      this.asked = null;
      if (this.span) this.#load();
    } else if (event.stream_id === this.streamId) {
      if (kind !== "deleted") { this.#take([event]); return; }
      const next = new Map(this.events.value);
      next.delete(event.id);
      this.events.value = next;
    }
  }
}
