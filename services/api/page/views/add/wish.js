/* What is asked of the api: a stream made of what was typed, judged without registering it, or registered. */
import { ask } from "../../lib/api.js";
import { text } from "../../lib/strings.js";

const MAX_SLUG = 56;

/* The id that a name gives, as the api makes it of one. */
export const idOf = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, MAX_SLUG).replace(/-+$/, "");

/* The id for a name among those that are used; a name without a plain letter or digit is given the next number. */
export function idFor(name, used) {
  const id = idOf(name);
  if (id || !name.trim()) return id;
  let number = 1;
  while (used.has(`camera-${number}`)) number += 1;
  return `camera-${number}`;
}

export const wordsOf = (typed) => typed.split(/[\s,]+/).filter(Boolean);

/* The body of a PUT. What is left empty is left out, so that the api's defaults hold. */
export function bodyOf({ name, source, groups = "", tags = "", model = "", fps = "", transport = "", loop = false }) {
  const body = { name: name.trim(), source: source.trim() };
  if (wordsOf(groups).length) body.groups = wordsOf(groups);
  if (wordsOf(tags).length) body.tags = wordsOf(tags);
  if (model) body.model = model;
  if (fps !== "") body.fps = Number(fps);
  if (transport) body.rtsp_transport = transport;
  if (loop) body.loop = true;
  return body;
}

/* Registers a stream that there is not yet, or only says what would become of it. Throws a Problem. */
export function place(id, body, { dryRun = false, abort } = {}) {
  return ask("PUT", `/v1/streams/${encodeURIComponent(id)}`, {
    body, abort, query: { dry_run: dryRun || null }, headers: { "If-None-Match": "*" },
  });
}

/* Whether a problem is that the id is used: also by a stream that this key does not see. */
export const isTaken = (problem) => problem.status === 412 || problem.code === "stream_exists" || problem.code === "stream_unknown";

/* What is wrong, in words, where there is no field to say it beside. */
export const reasonOf = (problem) => (isTaken(problem) ? text("addIdTaken") : problem.message);
