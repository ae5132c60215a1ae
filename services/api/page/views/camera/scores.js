/* A stream's scores as far as they were asked for: one stretch of time without a hole, in columns, bounded. */
import { signal } from "../../lib/html.js";
import { ask } from "../../lib/api.js";

const PAGE = 5000;
const MAX_FRAMES = 40_000;
const LONGEST_MS = 15_000;

export class Scores {
  constructor(streamId) {
    this.path = `/v1/streams/${encodeURIComponent(streamId)}/scores`;
    this.abort = new AbortController();
    this.changed = signal(0); /* grows with whatever is taken in */
    this.problem = signal(null);
    this.isLoading = signal(true);
    this.wanted = null;
    this.isBusy = false;
    this.#empty(null);
  }

  /* Time of the newest frame, or null. */
  get lastMs() { return this.times.length ? this.times[this.times.length - 1] : null; }

  /* Has all from one time to another (null: as far as there is) loaded; the last wish holds. */
  want(fromMs, toMs) {
    this.wanted = { fromMs: Math.max(0, Math.floor(fromMs)), toMs: toMs === null ? null : Math.ceil(toMs) };
    if (!this.isBusy) this.#work();
  }

  stop() { this.abort.abort(); }

  /* Every label's score in the frame nearest to a time, if one is within `nearMs`. */
  at(ms, nearMs = 1000) {
    const at = nearest(this.times, ms);
    if (at === null || Math.abs(this.times[at] - ms) > nearMs) return null;
    return Object.fromEntries([...this.columns].map(([label, column]) => [label, column[at]]));
  }

  async #work() {
    this.isBusy = true;
    let waits = 500;
    while (this.wanted && !this.abort.signal.aborted) {
      const wish = this.wanted;
      this.wanted = null;
      try {
        await this.#fill(wish.fromMs, wish.toMs);
        this.problem.value = null;
        this.isLoading.value = false;
        waits = 500;
      } catch (problem) {
        if (this.abort.signal.aborted) break;
        this.problem.value = problem;
        waits = Math.max(Math.min(LONGEST_MS, waits * 2), (problem.retryAfterSeconds ?? 0) * 1000);
        if ([401, 403, 404, 422].includes(problem.status)) break;
        await new Promise((go) => { setTimeout(go, waits); });
        this.wanted ??= wish;
      }
    }
    this.isBusy = false;
  }

  async #fill(fromMs, toMs) {
    const isApart = this.fromMs === null || fromMs > this.toMs || (toMs !== null && toMs < this.fromMs);
    if (isApart) this.#empty(fromMs);
    if (fromMs < this.fromMs) {
      const earlier = [];
      for await (const items of this.#pages(fromMs, this.fromMs)) earlier.push(...items);
      this.#prepend(earlier);
      this.fromMs = fromMs;
    }
    if (toMs === null || toMs > this.toMs) {
      for await (const items of this.#pages(this.toMs, toMs)) {
        for (const item of items) this.#append(item);
        this.#trim(fromMs, toMs);
        this.changed.value += 1;
      }
    }
    this.#trim(fromMs, toMs);
    this.changed.value += 1;
  }

  async* #pages(sinceMs, untilMs) {
    let since = sinceMs;
    while (since !== null) {
      const page = await ask("GET", this.path, { query: { since_ms: since, until_ms: untilMs, limit: PAGE }, abort: this.abort.signal });
      yield page.items;
      since = page.next_since_ms;
    }
  }

  #empty(fromMs) {
    this.times = [];
    this.columns = new Map();
    this.fromMs = fromMs;
    this.toMs = fromMs;
  }

  #append({ at_ms, scores }) {
    for (const label of Object.keys(scores)) {
      if (!this.columns.has(label)) this.columns.set(label, new Array(this.times.length).fill(null));
    }
    this.times.push(at_ms);
    for (const [label, column] of this.columns) column.push(scores[label] ?? null);
    this.toMs = at_ms + 1;
  }

  #prepend(items) {
    const labels = new Set([...this.columns.keys(), ...items.flatMap((each) => Object.keys(each.scores))]);
    for (const label of labels) {
      const later = this.columns.get(label) ?? new Array(this.times.length).fill(null);
      this.columns.set(label, items.map((each) => each.scores[label] ?? null).concat(later));
    }
    this.times = items.map((each) => each.at_ms).concat(this.times);
  }

  /* What is too much goes from the side that is not looked at. */
  #trim(fromMs, toMs) {
    const many = this.times.length - MAX_FRAMES;
    if (many <= 0) return;
    const isLate = toMs === null || this.times[this.times.length - 1] - toMs < fromMs - this.times[0];
    for (const column of [this.times, ...this.columns.values()]) column.splice(isLate ? 0 : MAX_FRAMES, many);
    if (isLate) this.fromMs = this.times[0];
    else this.toMs = this.times[this.times.length - 1] + 1;
  }
}

/* The index of the time nearest to one, of times in order; null where there is none. */
export function nearest(times, ms) {
  if (!times.length) return null;
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < ms) low = middle + 1;
    else high = middle;
  }
  return low > 0 && ms - times[low - 1] < times[low] - ms ? low - 1 : low;
}
