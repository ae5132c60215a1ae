/* The title of the browser's tab: open alerts, and what is looked at, as "(3) Gate · Afterimage". */
import { session } from "./api.js";
import { effect, signal, useEffect } from "./html.js";
import { numAlerts } from "./live.js";

const NAME = "Afterimage";
const viewed = signal(null), named = signal(null);

effect(() => {
  const number = session.value && numAlerts.value ? `(${numAlerts.value}) ` : "";
  const words = session.value && (named.value ?? viewed.value);
  document.title = `${number}${words ? `${words} · ` : ""}${NAME}`;
});

/* What is looked at has a name of its own, while it is looked at; null or undefined: not known yet. */
export function useTitle(name) {
  useTitleOf(named, name);
}

/* The view that is looked at. */
export function useViewTitle(words) {
  useTitleOf(viewed, words);
}

function useTitleOf(title, words) {
  useEffect(() => {
    title.value = words ?? null;
    return () => { title.value = null; };
  }, [words]);
}
