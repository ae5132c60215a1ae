/* The events of some filters, open ones first, newest next: fetched page by page, and kept as they are told live.
   What happens after it was read waits beside it, and what has closed stays where it is, as long as somebody reads there:
   nothing moves under who reads. */
import { ask } from "../../lib/api.js";
import { present } from "../../lib/clock.js";
import { batch, effect, signal } from "../../lib/html.js";
import { follow, standing } from "../../lib/live.js";
import { asked, mayFit } from "./query.js";
import { freshened } from "./freshen.js";

const PAGE = 100, NEWS_PAGE = 500;
const GATHER_MS = 400, SETTLE_MS = 1000, COUNT_MS = 2000, LONGEST_MS = 30_000;

export class EventList {
  items = signal([]);
  news = signal([]); /* what has happened since, newest first */
  isWhole = signal(false);
  isLoading = signal(false);
  problem = signal(null);
  changes = signal(0); /* moves when counts may be others */
  isRead = () => false; /* whether somebody reads it, so that nothing may move */
  isUnsettled = false; /* whether some have closed, and stand among the open ones yet */

  constructor(filters) {
    this.filters = filters;
    this.stages = filters.state ? [filters.state] : ["open", "closed"];
    this.cursor = null;
    this.known = new Map(); /* id → event, of items and news */
    this.abort = new AbortController();
    this.opened = new Map(); /* id → start, of those to be looked for */
    this.sinceMs = Infinity;
    this.waits = 1000;
  }

  /* Begins to read and to follow; what it gives ends that. */
  open() {
    const unfollow = follow((kind, event) => this.hear(kind, event));
    let isFirst = true;
    const unwatch = effect(() => { /* whoever was away may have missed some */
      if (standing.value === "following" && !isFirst) this.lookSince(this.newestMs());
      isFirst = false;
    });
    const unfresh = freshened(this);
    const settling = setInterval(() => this.settle(), SETTLE_MS);
    this.more();
    return () => { clearInterval(settling); this.abort.abort(); unfollow(); unwatch(); unfresh(); [this.gathering, this.retrying, this.noting].forEach(clearTimeout); };
  }

  /* Reads the next page. */
  async more() {
    if (this.isLoading.peek() || this.isWhole.peek()) return;
    this.isLoading.value = true;
    clearTimeout(this.retrying);
    try {
      while (!(await this.readPage()) && !this.isWhole.peek());
      batch(() => { this.problem.value = null; this.isLoading.value = false; });
      this.waits = 1000;
    } catch (problem) {
      if (this.abort.signal.aborted) return;
      batch(() => { this.problem.value = problem; this.isLoading.value = false; });
      if ([400, 401, 403, 404, 422].includes(problem.status)) return;
      this.waits = Math.min(LONGEST_MS, this.waits * 2);
      this.retrying = setTimeout(() => this.more(), this.waits);
    }
  }

  /* How many that has brought. */
  async readPage() {
    this.query ??= asked(this.filters);
    const query = { ...this.query, state: this.stages[0], limit: PAGE, cursor: this.cursor };
    const page = await ask("GET", "/v1/events", { query, abort: this.abort.signal });
    const fresh = page.items.filter((event) => !this.known.has(event.id));
    fresh.forEach((event) => this.known.set(event.id, event));
    this.cursor = page.next;
    if (!page.next) this.stages.shift();
    batch(() => {
      if (fresh.length) this.items.value = this.isUnsettled ? [...this.items.peek(), ...fresh] : inOrder([...this.items.peek(), ...fresh]);
      if (!this.stages.length) this.isWhole.value = true;
    });
    return fresh.length;
  }

  hear(kind, event) {
    if (kind === "gap") this.lookSince(this.newestMs());
    else if (kind === "reviewed") this.putAll(event.ids.map((id) => ({ id, reviewed: event.reviewed })));
    else if (kind === "deleted") this.drop(event.id);
    else if (this.known.has(event.id)) this.put(event);
    else if (kind === "opened" && mayFit(event, this.filters)) this.lookFor(event);
    this.noting ??= setTimeout(() => { this.noting = null; this.changes.value += 1; }, COUNT_MS);
  }

  /* Looks for an event that opened, as the api alone can tell whether it fits: a little later, as others may open with it. */
  lookFor(event) {
    this.opened.set(event.id, event.started_at_ms);
    this.gather();
  }

  /* Looks for all that has come since. */
  lookSince(ms) {
    this.sinceMs = Math.min(this.sinceMs, ms);
    this.gather();
  }

  gather() {
    this.gathering ??= setTimeout(() => {
      const { opened, sinceMs } = this, starts = [...opened.values()];
      this.gathering = null;
      this.opened = new Map();
      this.sinceMs = Infinity;
      this.readNews(Math.min(sinceMs, ...starts), sinceMs === Infinity ? Math.max(...starts) + 1 : null, (event) => (
        opened.has(event.id) || event.started_at_ms >= sinceMs
      )).catch(() => {}); /* the feed's next word asks anew */
    }, GATHER_MS);
  }

  async readNews(sinceMs, untilMs, isWanted) {
    const query = { ...asked(this.filters), state: this.filters.state, limit: NEWS_PAGE };
    query.since_ms = Math.max(sinceMs, this.query?.since_ms ?? 0);
    query.until_ms ??= untilMs;
    const page = await ask("GET", "/v1/events", { query, abort: this.abort.signal });
    const fresh = page.items.filter((event) => !this.known.has(event.id) && isWanted(event));
    if (!fresh.length) return;
    fresh.forEach((event) => this.known.set(event.id, event));
    this.news.value = [...fresh, ...this.news.peek()].sort((a, b) => b.started_at_ms - a.started_at_ms);
    this.settle();
  }

  showNews() {
    batch(() => {
      this.items.value = inOrder([...this.news.peek(), ...this.items.peek()]);
      this.news.value = [];
    });
    this.isUnsettled = false;
  }

  /* Brings all to its place, unless somebody reads. */
  settle() {
    if ((this.isUnsettled || this.news.peek().length) && !this.isRead()) this.showNews();
  }

  /* Takes in an event as it is now; where it stands it stays. What was told live says nothing of media and of oneself. */
  put(event) {
    this.putAll([event]);
  }

  putAll(events) {
    const merged = new Map(events.filter((each) => this.known.has(each.id)).map((each) => [each.id, { ...this.known.get(each.id), ...each }]));
    this.isUnsettled ||= [...merged].some(([id, event]) => event.state !== this.known.get(id).state);
    merged.forEach((event, id) => this.known.set(id, event));
    const changed = (all) => all.map((each) => merged.get(each.id) ?? each);
    batch(() => {
      this.items.value = changed(this.items.peek());
      if (this.news.peek().length) this.news.value = changed(this.news.peek());
    });
  }

  drop(id) {
    if (!this.known.delete(id)) return;
    const others = (events) => events.filter((each) => each.id !== id);
    batch(() => {
      this.items.value = others(this.items.peek());
      this.news.value = others(this.news.peek());
    });
  }

  newestMs() {
    return Math.max(0, ...[...this.known.values()].slice(0, 1000).map((event) => event.started_at_ms)) || present() - 60_000;
  }
}

/* Open ones first, newest next. */
const inOrder = (events) => [...events].sort((a, b) => (b.state === "open") - (a.state === "open") || b.started_at_ms - a.started_at_ms || (a.id < b.id ? 1 : -1));
