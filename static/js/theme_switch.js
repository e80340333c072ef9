// The next of the three themes: it holds for this page at once, for this browser, and for whoever is signed in everywhere.
export function next({ dataset }) {
  const root = document.documentElement;
  const names = ["auto", "light", "dark"];
  const chosen = names[(names.indexOf(root.dataset.theme || "auto") + 1) % names.length];
  if (chosen === "auto") delete root.dataset.theme;
  else root.dataset.theme = chosen;
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // Storage may be switched off; the choice then lasts for this page.
  }
  const values = { theme: chosen === "auto" ? "" : chosen };
  if (dataset.themeUrl) htmx.ajax("POST", dataset.themeUrl, { values, swap: "none" });
}
