/* Asks the api. What goes wrong is a Problem, with the api's own words for each field. */
import { batch, signal } from "./html.js";
import { heard } from "./clock.js";
import { text } from "./strings.js";

/* Where the api is: the page lies at `page/` below it, whatever prefix a proxy adds. */
const BASE = new URL("../../", import.meta.url);

/* Who asks (GET /v1/session); null: nobody yet; undefined: not known yet. */
export const session = signal(undefined);

/* Whether the session that was there has ended by itself. */
export const hasEnded = signal(false);

/* Why the api gave no answer when it was last asked: "away" (nobody is there), "store" (Redis is), or null. */
export const trouble = signal(null);

/* The stream that this page last changed: {method, path, body}, with what the api answered. */
export const written = signal(null);

const ROLES = ["viewer", "operator", "admin"];

/* Whether who asks has this role, or a higher one. */
export const may = (role) => ROLES.indexOf(session.value?.role) >= ROLES.indexOf(role);

/* Of the store the api says where it lies, which is nothing for viewers. */
const STORE = "store_unavailable";

export class Problem extends Error {
  constructor(status, body, retryAfterSeconds = null) {
    const code = body.errors?.[0]?.code ?? null;
    super(code === STORE ? text("store") : plain(body.detail || body.title || `HTTP ${status}`));
    this.status = status;
    this.errors = body.errors || [];
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /* What is wrong with a field, or with a part of it (`groups.0`), in words, or null. */
  of(field) {
    const own = this.errors.filter((each) => each.field === field || each.field?.startsWith(`${field}.`));
    return own.map((each) => plain(each.message.replace(`${each.field}: `, ""))).join("; ") || null;
  }
}

/* A pattern says nothing to people: the field's hint has what is allowed. */
const plain = (words) => words.replace(/String should match pattern '.*'(?: \(got (.*)\))?$/s, (_, got) => text("pattern", got ?? text("given")));

/* The address of something of the api, with a query: values that are null or "" are left out, lists are repeated. */
export function address(path, query = {}) {
  const url = new URL(path.replace(/^\//, ""), BASE);
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") url.searchParams.append(name, each);
    }
  }
  return url;
}

/* The address of a socket of the api. */
export function socketAddress(path, query = {}) {
  const url = address(path, query);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/* Asks, and gives the answer's JSON, or null where there is none. Throws a Problem; of what was given up, an AbortError. */
export async function ask(method, path, { body, query, headers = {}, abort } = {}) {
  return (await askWithHead(method, path, { body, query, headers, abort })).body;
}

/* The same with what the answer's head says: {body, headers}. For ETag, X-Changed and so on. */
export async function askWithHead(method, path, { body, query, headers = {}, abort } = {}) {
  const answer = await send(method, address(path, query), body, headers, abort);
  if (!answer.ok) throw await problemOf(answer);
  trouble.value = null;
  const told = { body: answer.status === 204 ? null : await answer.json(), headers: answer.headers };
  if (method !== "GET" && path.startsWith("/v1/streams/")) written.value = { method, path, body: told.body };
  return told;
}

/* Every page of a list, one after the other, from the query's `cursor` on if it has one: an async iterator of items. */
export async function* pagesOf(path, query = {}, abort = undefined) {
  let cursor = query.cursor ?? null;
  do {
    const page = await ask("GET", path, { query: { ...query, cursor }, abort });
    yield page.items;
    cursor = page.next;
  } while (cursor);
}

/* Trades a key for a session. */
export async function logIn(key) {
  session.value = await ask("POST", "/v1/session", { body: { key } });
  hasEnded.value = false;
}

/* Where the api is away one stays who one is, and `trouble` says so. */
export async function logOut() {
  const done = await ask("DELETE", "/v1/session").then(() => true, (problem) => problem.status === 401);
  if (done) batch(() => { session.value = null; hasEnded.value = false; });
}

/* Learns who asks; where that cannot be told, `trouble` says why, and it is asked again by whoever called. */
export async function lookWhoAsks() {
  try {
    session.value = await ask("GET", "/v1/session");
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) session.value = null;
    else throw problem;
  }
}

async function send(method, url, body, headers, abort) {
  const csrf = method === "GET" ? null : session.value?.csrf_token;
  const sentAt = Date.now();
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...(csrf ? { "X-CSRF-Token": csrf } : {}), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: abort,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    trouble.value = "away";
    throw new Problem(0, { detail: "" });
  }
  heard(answer.headers.get("Date"), sentAt);
  return answer;
}

async function problemOf(answer) {
  const body = await answer.json().catch(() => ({}));
  const problem = new Problem(answer.status, body, Number(answer.headers.get("Retry-After")) || null);
  if (answer.status === 401 && session.value) batch(() => { session.value = null; hasEnded.value = true; });
  const isStore = answer.status === 503 && problem.code === STORE;
  trouble.value = isStore ? "store" : [502, 504].includes(answer.status) ? "away" : trouble.value;
  return problem;
}
