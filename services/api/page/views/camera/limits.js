/* Thresholds as they hold: the model's own, and what one camera has otherwise. */

export const PARTS = ["enter", "exit", "min_seconds", "merge_seconds"];

/* A label's thresholds with an override, as the api reckons: a lone enter or exit pulls the other along. */
export function applied(own, override = {}) {
  const given = Object.fromEntries(Object.entries(override ?? {}).filter(([, value]) => value !== null && value !== undefined));
  const limits = { ...own, ...given };
  if (given.exit === undefined) limits.exit = Math.min(limits.exit, limits.enter);
  limits.enter = Math.max(limits.enter, limits.exit);
  return limits;
}

/* Label → thresholds that hold for a camera. */
export function limitsOf(model, stream) {
  return Object.fromEntries(Object.entries(model?.thresholds ?? {}).map(([label, own]) => [label, applied(own, stream.thresholds[label])]));
}

/* What a camera must have otherwise for wanted thresholds to hold: labels that are not changed keep what they have. */
export function overridesOf(model, stream, wanted) {
  const present = limitsOf(model, stream), overrides = {};
  for (const [label, own] of Object.entries(model.thresholds)) {
    if (same(wanted[label], present[label])) {
      if (stream.thresholds[label]) overrides[label] = stream.thresholds[label];
      continue;
    }
    const other = Object.fromEntries(PARTS.filter((part) => wanted[label][part] !== own[part]).map((part) => [part, wanted[label][part]]));
    if (other.enter !== undefined || other.exit !== undefined) { other.enter = wanted[label].enter; other.exit = wanted[label].exit; }
    if (Object.keys(other).length) overrides[label] = other;
  }
  return overrides;
}

export const same = (one, other) => PARTS.every((part) => one[part] === other[part]);

/* What is wrong with a label's thresholds: the name of the words for it, or null. */
export function wrongWith({ enter, exit, min_seconds: min, merge_seconds: merge }) {
  const isScore = (value) => Number.isFinite(value) && value > 0 && value < 1;
  const isTime = (value) => Number.isFinite(value) && value >= 0 && value <= 600;
  if (!isScore(enter) || !isScore(exit)) return "cameraScoreRange";
  if (exit > enter) return "cameraExitAbove";
  return isTime(min) && isTime(merge) ? null : "cameraTimeRange";
}
