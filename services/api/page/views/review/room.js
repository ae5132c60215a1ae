/* What the review keeps of all its cards together: which is current, which plays, which are selected; and what is done. */
import { signal } from "../../lib/html.js";
import { ask } from "../../lib/api.js";
import { tellReviewed } from "../../lib/live.js";
import { text } from "../../lib/strings.js";
import { ACTS, isDone, mayDo, remove } from "./acts.js";

const AT_ONCE = 4;
const TOGETHER = 500;

export class Room {
  current = signal(null); /* id */
  playing = signal(null); /* id */
  chosen = signal(new Set()); /* ids */
  said = signal(null); /* what became of what was done: {words, isBad} */
  isActing = signal(false);

  constructor(list, place) {
    this.list = list;
    this.place = place;
  }

  count = () => this.list.items.value.length;
  isWhole = () => this.list.isWhole.value;
  event = (id) => this.list.known.get(id);
  play = (id) => { this.playing.value = this.playing.peek() === id ? null : id; };

  choose = (id) => {
    const next = new Set(this.chosen.peek());
    if (!next.delete(id)) next.add(id);
    this.chosen.value = next;
  };

  chooseAll = () => { this.chosen.value = new Set(this.list.items.peek().map((event) => event.id)); };
  chooseNone = () => { this.chosen.value = new Set(); };

  /* Does one thing to one event; what the api refuses is said in its words. */
  act = async (name, event) => {
    if (!event || !mayDo(name)) return;
    try {
      this.list.put(await ACTS[name](event));
      this.said.value = null;
    } catch (problem) {
      this.failed(problem, event);
    }
  };

  /* Does one thing to all that are selected, but for those that are so already. */
  actOnChosen = async (name) => {
    const events = this.selected().filter((event) => name === "delete" || !isDone[name](event));
    if (name === "reviewed") return this.reviewChosen(events);
    const one = name === "delete" ? async (event) => { await remove(event); this.list.drop(event.id); }
      : async (event) => this.list.put(await ACTS[name](event));
    return this.together(events, one);
  };

  selected = () => [...this.chosen.peek()].map(this.event).filter(Boolean);

  async reviewChosen(events) {
    const groups = Array.from({ length: Math.ceil(events.length / TOGETHER) }, (_, at) => events.slice(at * TOGETHER, (at + 1) * TOGETHER));
    return this.together(groups, async (group) => {
      const { event_ids: ids } = await ask("POST", "/v1/events/reviewed", { body: { event_ids: group.map((event) => event.id), reviewed: true } });
      tellReviewed(ids, true);
    });
  }

  async together(things, one) {
    let done = 0, failed = 0, why = "";
    const rest = [...things];
    this.isActing.value = true;
    const work = async () => {
      for (let thing = rest.shift(); thing; thing = rest.shift()) {
        try {
          await one(thing);
        } catch (problem) {
          failed += 1;
          why = problem.message || text("unreached");
          this.failed(problem, thing);
        }
        done += 1;
        this.said.value = { words: text("reviewAsking", done, things.length), isBad: false };
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.isActing.value = false;
    this.said.value = failed ? { words: text("reviewSomeFailed", failed, things.length, why), isBad: true }
      : { words: text("reviewDone", this.chosen.peek().size), isBad: false };
    if (!failed) this.chooseNone();
  }

  failed(problem, event) {
    if (problem.status === 404 && event.id) this.list.drop(event.id);
    this.said.value = { words: text("failed", problem.message || text("unreached")), isBad: true };
  }
}
