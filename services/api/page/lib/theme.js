/* Light or dark: as the machine has it, also when that changes, until somebody turns it. */
import { computed, effect, signal } from "./html.js";

const KEY = "afterimage-theme";
const CHOICES = ["machine", "light", "dark"];
const isDark = matchMedia("(prefers-color-scheme: dark)");
const machines = signal(isDark.matches ? "dark" : "light");
isDark.addEventListener("change", () => { machines.value = isDark.matches ? "dark" : "light"; });

/* What is wanted: "machine", "light" or "dark". */
export const wantedTheme = signal(kept());

/* What it is now: "light" or "dark". */
export const theme = computed(() => (wantedTheme.value === "machine" ? machines.value : wantedTheme.value));

effect(() => { document.documentElement.dataset.theme = theme.value; });

/* A colour of base.css as it is now. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function turnTheme() {
  wantedTheme.value = CHOICES[(CHOICES.indexOf(wantedTheme.value) + 1) % CHOICES.length];
  try {
    localStorage.setItem(KEY, wantedTheme.value);
  } catch { /* a browser that keeps nothing */ }
}

function kept() {
  try {
    const word = localStorage.getItem(KEY);
    return CHOICES.includes(word) ? word : "machine";
  } catch {
    return "machine";
  }
}
