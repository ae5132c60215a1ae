/* The page: who asks, where they are, and the view for it. */
import { html, render, useEffect, useErrorBoundary, useState } from "./lib/html.js";
import { hasEnded, logOut, lookWhoAsks, may, session, trouble } from "./lib/api.js";
import { behindMs, durationOf } from "./lib/clock.js";
import { standing } from "./lib/live.js";
import { route, to } from "./lib/router.js";
import { text } from "./lib/strings.js";
import { theme, turnTheme } from "./lib/theme.js";
import { LogIn } from "./views/login.js";

/* Views are fetched when they are first looked at: the wall first. Name → [module, component]. */
const VIEWS = {
  wall: [() => import("./views/wall/wall.js"), "Wall"],
  camera: [() => import("./views/camera/camera.js"), "Camera"],
  review: [() => import("./views/review/review.js"), "Review"],
  event: [() => import("./views/review/event.js"), "EventPage"],
  add: [() => import("./views/add/add.js"), "AddCamera"],
  system: [() => import("./views/system/system.js"), "System"],
};
const loaded = {};

function App() {
  useWhoAsks();
  if (session.value === undefined) return html`<p class="boot" role="status">${text(trouble.value ?? "connecting")}</p>`;
  if (session.value === null) return html`<${LogIn} hasEnded=${hasEnded.value} />`;
  const [name = "wall", ...path] = route.value.path;
  return html`
    <a class="skip" href="#main" onClick=${skip}>${text("skip")}</a>
    <${Head} name=${name} />
    <${Notices} />
    <main id="main" tabindex="-1"><${View} key=${name} name=${name} path=${path} query=${route.value.query} /></main>`;
}

/* Goes on to the content, not to a place of that name. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

/* Asked until it is known; and where the session came to its end by the clock, it is told without a request. */
function useWhoAsks() {
  useEffect(() => {
    let timer = null, waits = 500;
    const look = async () => {
      try {
        await lookWhoAsks();
        trouble.value = null;
      } catch {
        waits = Math.min(8000, waits * 2);
        timer = setTimeout(look, waits);
      }
    };
    look();
    return () => clearTimeout(timer);
  }, []);
}

function Head({ name }) {
  const places = [["wall", "wall"], ["review", "review"], ...(may("operator") ? [["add", "add"]] : []), ["system", "system"]];
  const who = session.value;
  return html`<header class="head">
    <a class="brand" href=${to([])}><img src=${new URL("icon.svg", import.meta.url)} alt="" width="22" height="22" /> Afterimage</a>
    <nav aria-label="Afterimage">
      ${places.map(([place, words]) => html`<a href=${to([place])} aria-current=${name === place ? "page" : undefined}>${text(words)}</a>`)}
    </nav>
    <span class="who">${text("asRole", who.name, who.role)}</span>
    <button type="button" class="quiet" onClick=${turnTheme} title=${text("theme", text(theme.value))} aria-label=${text("theme", text(theme.value))}>◐</button>
    ${who.csrf_token && html`<button type="button" class="quiet" onClick=${logOut}>${text("signOut")}</button>`}
  </header>`;
}

/* What is so with the api and the feed, while it is so. */
function Notices() {
  const words = trouble.value ? text(trouble.value)
    : standing.value === "full" ? text("feedFull")
    : standing.value === "connecting" ? text("feedConnecting") : null;
  const off = Math.abs(behindMs.value) > 60_000
    && text("clockOff", durationOf(Math.abs(behindMs.value)), text(behindMs.value < 0 ? "ahead" : "behind"));
  return html`<div aria-live="polite">
    ${words && html`<p class=${`notice ${trouble.value ? "bad" : ""}`}>${words}</p>`}
    ${off && html`<p class="notice">${off}</p>`}
  </div>`;
}

function View({ name, path, query }) {
  const [Loaded, setLoaded] = useState(() => loaded[name] ?? null);
  const [problem] = useErrorBoundary();
  useEffect(() => {
    if (Loaded || !VIEWS[name]) return;
    const [load, component] = VIEWS[name];
    load().then((module) => { loaded[name] = module[component]; setLoaded(() => module[component]); });
  }, [name]);
  if (!VIEWS[name]) return html`<p class="empty">${text("notFound")}</p>`;
  if (problem) return html`<p class="trouble" role="alert">${text("crashed", problem.message)}</p>`;
  return Loaded ? html`<${Loaded} path=${path} query=${query} />` : html`<p class="loading" role="status">${text("loading")}</p>`;
}

render(html`<${App} />`, document.getElementById("app"));
