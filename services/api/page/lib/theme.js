/* Light or dark: as the machine has it, until somebody turns it. */
import { effect, signal } from "./html.js";

const KEY = "afterimage-theme";

export const theme = signal(kept() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

effect(() => { document.documentElement.dataset.theme = theme.value; });

export function turnTheme() {
  theme.value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, theme.value);
  } catch { /* a browser that keeps nothing */ }
}

function kept() {
  try {
    const word = localStorage.getItem(KEY);
    return ["light", "dark"].includes(word) ? word : null;
  } catch {
    return null;
  }
}
