/* What views use to have something of the api, and keep it fresh. */
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { ask } from "./api.js";

const LONGEST_MS = 30_000, PAUSE_MS = 200;

/* What `read(abort)` gives, read anew every `everyMs` (0: once) while the page is seen, and whenever `again()` is called
   or one of `inputs` changes. {data, problem, isLoading, readAt, again}; after a failure `data` stays what it was, and it
   is tried again, later each time. */
export function useRead(read, inputs, everyMs = 0) {
  const [standing, setStanding] = useState({ data: undefined, problem: null, isLoading: true, readAt: 0 });
  const [turn, setTurn] = useState(0);
  const waits = useRef(1000);
  useEffect(() => {
    const abort = new AbortController();
    let timer = null;
    const later = (ms) => { timer = setTimeout(run, ms); };
    const run = async () => {
      if (document.hidden) { later(1000); return; }
      try {
        const data = await read(abort.signal);
        waits.current = 1000;
        setStanding({ data, problem: null, isLoading: false, readAt: Date.now() });
        if (everyMs) later(everyMs);
      } catch (problem) {
        if (abort.signal.aborted) return;
        setStanding((before) => ({ ...before, problem, isLoading: false }));
        if (![400, 401, 403, 404, 422].includes(problem.status)) {
          waits.current = Math.min(LONGEST_MS, waits.current * 2);
          later(Math.max(waits.current, (problem.retryAfterSeconds ?? 0) * 1000));
        }
      }
    };
    run();
    return () => { abort.abort(); clearTimeout(timer); };
  }, [...inputs, turn, everyMs]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  return { ...standing, again };
}

/* The same of a path. */
export function useAsked(path, query = {}, everyMs = 0) {
  return useRead((abort) => ask("GET", path, { query, abort }), [path, JSON.stringify(query)], everyMs);
}

/* The items of a list of the api that hold a text, for who types it: looked for a moment after. */
export function useSuggested(path, typed) {
  const [sought, seek] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => seek(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return useAsked(path, { text: sought, limit: 100 }).data?.items ?? [];
}

/* Something that is done on demand: {run(...), isRunning, problem, clear()}. `run` gives what `action` gives, or undefined
   where that failed; the failure is `problem` then. */
export function useAction(action) {
  const [standing, setStanding] = useState({ isRunning: false, problem: null });
  const run = async (...given) => {
    setStanding({ isRunning: true, problem: null });
    try {
      const done = await action(...given);
      setStanding({ isRunning: false, problem: null });
      return done;
    } catch (problem) {
      setStanding({ isRunning: false, problem });
      return undefined;
    }
  };
  return { ...standing, run, clear: () => setStanding({ isRunning: false, problem: null }) };
}

/* A function that says whether what called this is still drawn: whoever has gone elsewhere is not carried off by a late answer. */
export function useIsHere() {
  const isHere = useRef(true);
  useEffect(() => { isHere.current = true; return () => { isHere.current = false; }; }, []);
  return useCallback(() => isHere.current, []);
}

/* Whether an element is near what is seen of the page: [ref, isNear]. */
export function useNear(margin = "200px") {
  const ref = useRef(null);
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    const { observer, hearers } = observing(margin), element = ref.current;
    hearers.set(element, setNear);
    observer.observe(element);
    return () => { observer.unobserve(element); hearers.delete(element); };
  }, [margin]);
  return [ref, isNear];
}

/* One observer for all elements of a margin: there may be hundreds. */
const observers = new Map();
function observing(margin) {
  if (!observers.has(margin)) {
    const hearers = new Map();
    const tell = (entries) => entries.forEach((entry) => hearers.get(entry.target)?.(entry.isIntersecting));
    observers.set(margin, { observer: new IntersectionObserver(tell, { rootMargin: margin }), hearers });
  }
  return observers.get(margin);
}

/* Keys of the keyboard while nothing is typed into: {"j": next, " ": play}. */
export function useKeys(keys) {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    const hear = (event) => {
      const isTyping = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
      const isOnButton = [" ", "Enter"].includes(event.key) && event.target.closest?.("button, a, summary");
      if (isTyping || isOnButton || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = current.current[event.key];
      if (act) { event.preventDefault(); act(event); }
    };
    addEventListener("keydown", hear);
    return () => removeEventListener("keydown", hear);
  }, []);
}
