/** Dark or light: the system's wish until the toggle says otherwise; the choice is kept per browser. */
import { signal } from "@preact/signals";

type Theme = "light" | "dark";
const STORAGE_KEY = "palio-theme";
const systemDark = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>(chosen() ?? system());

export function startTheme(): void {
  if (chosen() !== null) show(theme.value);
  systemDark.addEventListener("change", () => {
    if (chosen() === null) theme.value = system();
  });
}

export function toggleTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  show(theme.value);
  try {
    localStorage.setItem(STORAGE_KEY, theme.value);
  } catch {
    // A browser that keeps nothing still gets the theme for this visit.
  }
}

function show(value: Theme): void {
  document.documentElement.dataset.theme = value;
}

function system(): Theme {
  return systemDark.matches ? "dark" : "light";
}

function chosen(): Theme | null {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return stored === "dark" || stored === "light" ? stored : null;
  } catch {
    return null;
  }
}
