/* Where the viewer is, in the address's hash: `#/camera/yard?tab=live` → {path: ["camera", "yard"], query}. */
import { signal } from "./html.js";

export const route = signal(read());
addEventListener("hashchange", (event) => { if (!isHeld(event)) route.value = read(); });

/* Has somebody (unsaved.js) say of each change of the address whether it is put off. */
let isHeld = () => false;
export function hold(asked) {
  isHeld = asked;
}

/* The hash for a place; ids are encoded. `query`: an object, or the query of another place. */
export function to(path, query = {}) {
  const search = new URLSearchParams((query.keys ? [...query] : Object.entries(query)).flatMap(([name, value]) => (
    (Array.isArray(value) ? value : [value]).filter((each) => each !== null && each !== undefined && each !== "").map((each) => [name, each])
  )));
  return `#/${path.map(encodeURIComponent).join("/")}${search.size ? `?${search}` : ""}`;
}

export function go(path, query = {}) {
  location.hash = to(path, query);
}

/* The same where nobody is asked about what is not saved; how: as a new entry in the history, or in the place of this. */
export function arrive(hash, how = "pushState") {
  history[how](null, "", hash);
  route.value = read();
}

/* Changes the query of the place without a new entry in the history: for filters. */
export const narrow = (query) => arrive(to(route.value.path, query), "replaceState");

function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(search) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
