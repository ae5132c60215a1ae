/* What people do with an event. Each gives the event as it is afterwards; what was done once more is taken back. */
import { ask, may } from "../../lib/api.js";
import { tellReviewed } from "../../lib/live.js";

const path = (event, rest = "") => `/v1/events/${event.id}${rest}`;

/* Name → what it does. `reviewed` is the key's own matter, the others are operators'. */
export const ACTS = {
  right: (event) => judge(event, "right"),
  wrong: (event) => judge(event, "wrong"),
  acknowledge: async (event) => (event.acknowledged ? event : seen(await ask("POST", path(event, "/acknowledge")))),
  keep: async (event) => ({ ...event, ...(await ask(event.kept ? "DELETE" : "PUT", path(event, "/keep"))) }),
  reviewed: (event) => setReviewed(event, !event.reviewed),
};

/* Whether who asks may. */
export const mayDo = (act) => act === "reviewed" || may("operator");

/* Whether an event is so already. */
export const isDone = {
  right: (event) => event.feedback?.verdict === "right",
  wrong: (event) => event.feedback?.verdict === "wrong",
  acknowledge: (event) => Boolean(event.acknowledged),
  keep: (event) => Boolean(event.kept),
  reviewed: (event) => Boolean(event.reviewed),
};

/* Says a verdict, with a note; the same verdict without another note takes it back. */
export async function judge(event, verdict, note = event.feedback?.note ?? "") {
  const isSame = event.feedback?.verdict === verdict && event.feedback.note === note;
  if (isSame) return { ...event, ...(await ask("DELETE", path(event, "/feedback"))) };
  return seen(await ask("PUT", path(event, "/feedback"), { body: { verdict, note } }));
}

export async function setReviewed(event, reviewed) {
  await ask(reviewed ? "PUT" : "DELETE", path(event, "/reviewed"));
  tellReviewed([event.id], reviewed);
  return { ...event, reviewed };
}

export const remove = (event) => ask("DELETE", path(event));

/* Who has said something of an event has reviewed it. */
const seen = (event) => setReviewed(event, true);
