/* What is offered to who types: the api looks for it, a moment after. */
import { useEffect, useState } from "./html.js";
import { useAsked } from "./use.js";

const PAUSE_MS = 200;

/* The items of a list of the api that hold a text. */
export function useSuggested(path, typed) {
  const [sought, seek] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => seek(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return useAsked(path, { text: sought, limit: 100 }).data?.items ?? [];
}
