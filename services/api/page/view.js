/* The view of a place: fetched when it is first looked at, and what is shown where that, or the view itself, fails. */
import { html, useEffect, useErrorBoundary, useState } from "./lib/html.js";
import { lookWhoAsks } from "./lib/api.js";
import { text } from "./lib/strings.js";
import { useViewTitle } from "./lib/title.js";
import { useAction } from "./lib/use.js";

/* Name → [its module, its component, the words of its title]. A Map: a place may be called anything. */
const VIEWS = new Map([
  ["wall", [() => import("./views/wall/wall.js"), "Wall", "wall"]],
  ["camera", [() => import("./views/camera/camera.js"), "Camera", "titleCamera"]],
  ["review", [() => import("./views/review/review.js"), "Review", "review"]],
  ["event", [() => import("./views/review/event.js"), "EventPage", "titleEvent"]],
  ["add", [() => import("./views/add/add.js"), "AddCamera", "add"]],
  ["system", [() => import("./views/system/system.js"), "System", "system"]],
]);
const loaded = new Map();

export function View({ name, path, query }) {
  const [load, component, title] = VIEWS.get(name) ?? [];
  const { Loaded, hasFailed, again } = useLoaded(name, load, component);
  const [problem, reset] = useErrorBoundary();
  useEffect(() => { if (problem) reset(); }, [`${path.join("/")}?${query}`]); /* another place may be well */
  useViewTitle(title && text(title));
  if (!load) return html`<p class="empty">${text("notFound")}</p>`;
  if (problem) return html`<${Failure} words=${text("crashed", problem.message)} again=${reset} />`;
  if (Loaded) return html`<${Loaded} path=${path} query=${query} />`;
  return hasFailed ? html`<${Failure} words=${text("notLoaded")} again=${again} />` : html`<p class="loading" role="status">${text("loading")}</p>`;
}

const Failure = ({ words, again }) => html`<p class="trouble" role="alert">${words}
  <button type="button" class="quiet" onClick=${again}>${text("again")}</button></p>`;

/* A module that failed once fails for as long as the document is there, in some browsers: then the page is loaded anew,
   once the api answers. */
function useLoaded(name, load, component) {
  const [Loaded, setLoaded] = useState(() => loaded.get(name));
  const loading = useAction(async () => {
    const module = await load();
    loaded.set(name, module[component]);
    setLoaded(() => module[component]);
    return true;
  });
  useEffect(() => { if (load && !Loaded) loading.run(); }, [name]);
  const again = async () => {
    if (!(await loading.run()) && (await lookWhoAsks().then(() => true, () => false))) location.reload();
  };
  return { Loaded, hasFailed: loading.problem !== null, again };
}
