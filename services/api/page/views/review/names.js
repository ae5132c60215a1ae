/* What streams are called: asked for by id as they are needed, many at once, and kept. */
import { ask, session } from "../../lib/api.js";
import { effect, signal } from "../../lib/html.js";

const AT_ONCE = 100;
const GATHER_MS = 50;
const AGAIN_MS = 10_000;
const names = new Map(); /* id → signal of {name, zone, groups} or null */
const wanted = new Set();
let gathering = null;

effect(() => { if (!session.value) { names.clear(); wanted.clear(); } });

/* {name, zone, groups} of a stream as far as is known; its id stands for a name until then. */
export function streamOf(id) {
  if (!names.has(id)) {
    names.set(id, signal(null));
    wanted.add(id);
    gather(GATHER_MS);
  }
  return names.get(id).value ?? { name: id, zone: null, groups: [] };
}

function gather(ms) {
  gathering ??= setTimeout(async () => {
    gathering = null;
    const ids = [...wanted].slice(0, AT_ONCE);
    ids.forEach((id) => wanted.delete(id));
    await read(ids);
    if (wanted.size) gather(GATHER_MS);
  }, ms);
}

async function read(ids) {
  if (!ids.length) return;
  try {
    const page = await ask("GET", "/v1/streams", { query: { stream_id: ids, limit: AT_ONCE } });
    for (const view of page.items) {
      const known = names.get(view.id);
      if (known) known.value = { name: view.name, zone: view.schedule?.time_zone ?? null, groups: view.groups };
    }
  } catch (problem) {
    if (problem.status === 404 && ids.length > 1) { /* one of them was removed: the others have names */
      const half = Math.ceil(ids.length / 2);
      await read(ids.slice(0, half));
      await read(ids.slice(half));
    } else if (problem.status !== 404) {
      ids.forEach((id) => names.has(id) && wanted.add(id));
      gather(AGAIN_MS);
    }
  }
}
