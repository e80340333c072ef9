// Runs before the first paint: the chosen theme, and a class that says scripts run.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  if (root.dataset.theme) return; // the theme of whoever is signed in comes with the page
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage may be switched off; the system's theme stands.
  }
})();
