/* How each label's line looks: the label's own colour, and dashes where two labels share it. */
import { hueOf } from "../../lib/ui.js";

const DASHES = [[], [7, 3], [2, 3], [10, 3, 2, 3]];

/* Label → {hue: a class of base.css, dash}. */
export function looksOf(labels) {
  const looks = new Map(), used = new Map();
  for (const label of labels) {
    const hue = hueOf(label), turn = used.get(hue) ?? 0;
    used.set(hue, turn + 1);
    looks.set(label, { hue, dash: DASHES[turn % DASHES.length] });
  }
  return looks;
}
