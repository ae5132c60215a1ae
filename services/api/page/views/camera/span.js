/* The stretch of time that chart, strip and picture show: how long, where it ends, and the moment that is pointed at. */
import { computed, signal } from "../../lib/html.js";
import { now } from "../../lib/clock.js";

export const SPANS_MS = [60_000, 300_000, 900_000, 3_600_000];
const USUAL_MS = SPANS_MS[1];

/* `edge()` gives the newest time there is to see, `oldest()` the time before which there is nothing. */
export class Span {
  constructor(edge, oldest) {
    this.oldest = oldest;
    this.lengthMs = signal(USUAL_MS);
    this.endMs = signal(null); /* null: live */
    this.moment = signal(null); /* what the pointer is at */
    this.pinned = signal(null); /* what was pressed */
    this.edge = computed(() => edge(now.value));
    this.to = computed(() => this.endMs.value ?? this.edge.value);
    this.from = computed(() => this.to.value - this.lengthMs.value);
    this.isLive = computed(() => this.endMs.value === null);
    this.shown = computed(() => this.moment.value ?? this.pinned.value);
  }

  /* Ends at a time, within what there is; at the newest it is live again. */
  end(ms) {
    const earliest = Math.min(this.oldest() + this.lengthMs.value, this.edge.value);
    this.endMs.value = ms >= this.edge.value ? null : Math.max(earliest, ms);
  }

  /* The time nearest to one that there is. */
  within(ms) { return Math.min(this.edge.value, Math.max(this.oldest(), ms)); }

  move(byMs) { this.end(this.to.value + byMs); }

  /* Has a time in its middle, within what there is, and shows that. */
  look(wantedMs) {
    const ms = this.within(wantedMs);
    this.end(ms + this.lengthMs.value / 2);
    this.pinned.value = ms;
  }

  goLive() {
    this.endMs.value = null;
    this.moment.value = null;
    this.pinned.value = null;
  }

  /* Another length about the same middle, or the same live end. */
  stretch(lengthMs) {
    const middle = this.to.value - this.lengthMs.value / 2;
    const wasLive = this.isLive.value;
    this.lengthMs.value = lengthMs;
    if (!wasLive) this.end(middle + lengthMs / 2);
  }

  /* Moves the moment by steps of a sixtieth of what is seen. */
  step(by) {
    const stepMs = this.lengthMs.value / 60;
    const ms = this.within((this.shown.value ?? this.to.value) + by * stepMs);
    this.moment.value = null;
    this.pinned.value = ms;
    if (ms < this.from.value || ms > this.to.value) this.end(ms + this.lengthMs.value / 2);
  }
}
