/* The page: who asks, where they are, and the view for it. */
import { html, render, useEffect } from "./lib/html.js";
import { hasEnded, logOut, lookWhoAsks, may, session, trouble } from "./lib/api.js";
import { behindMs, durationOf } from "./lib/clock.js";
import { standing } from "./lib/live.js";
import { route, to } from "./lib/router.js";
import { text } from "./lib/strings.js";
import { turnTheme, wantedTheme } from "./lib/theme.js";
import { ICON } from "./lib/ui.js";
import { View } from "./view.js";
import { LogIn } from "./views/login.js";

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

/* Asked until it is known, and anew where the api was away; and where the session came to its end by the clock, it is told without a request. */
function useWhoAsks() {
  const isAway = trouble.value === "away";
  useEffect(() => {
    let timer = null, waits = 500;
    const look = async () => {
      try {
        await lookWhoAsks();
      } catch {
        waits = Math.min(8000, waits * 2);
        timer = setTimeout(look, waits);
      }
    };
    if (session.value === undefined || isAway) look();
    return () => clearTimeout(timer);
  }, [isAway]);
}

function Head({ name }) {
  const places = [["wall", "wall"], ["review", "review"], ...(may("operator") ? [["add", "add"]] : []), ["system", "system"]];
  const who = session.value;
  return html`<header class="head">
    <a class="brand" href=${to([])}><img src=${ICON} alt="" width="22" height="22" /> Afterimage</a>
    <nav aria-label="Afterimage">
      ${places.map(([place, words]) => html`<a href=${to([place])} aria-current=${name === place ? "page" : undefined}>${text(words)}</a>`)}
    </nav>
    <span class="who">${text("asRole", who.name, who.role)}</span>
    <button type="button" class="quiet" onClick=${turnTheme} title=${text("theme", text(wantedTheme.value))} aria-label=${text("theme", text(wantedTheme.value))}>◐</button>
    ${who.csrf_token && html`<button type="button" class="quiet" data-leaves onClick=${logOut}>${text("signOut")}</button>`}
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

render(html`<${App} />`, document.getElementById("app"));
