// Everything here makes a working page nicer; nothing needs it.
const root = document.documentElement;
const THEMES = { auto: "automatic", light: "light", dark: "dark" };

// --- Where the focus goes after a page or a part of one was replaced ---
function focusStart(within) {
  const start = within.querySelector("#errors") || within.querySelector("[autofocus]") || within.querySelector("h1");
  if (!start) return;
  if (start.tabIndex < 0) start.tabIndex = -1;
  if (start.nextElementSibling?.matches(".lead")) start.setAttribute("aria-describedby", (start.nextElementSibling.id ||= "lead")); // how many were found
  start.focus({ preventScroll: start.id !== "errors" });
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "main") return;
  closeMenus();
  focusStart(event.detail.target);
});

// --- Menus (details elements) ---
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}

document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

// --- Theme ---
function nameTheme() {
  const name = `Theme: ${THEMES[root.dataset.theme || "auto"]}`;
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.setAttribute("aria-label", name);
    button.title = name;
  }
}

// --- Toasts ---
// What went wrong stays until it is closed, or until something else is tried.
function toast(text, tone = "info") {
  const box = Object.assign(document.createElement("div"), { className: `toast ${tone}`, textContent: text, back: document.activeElement });
  document.getElementById("toasts").append(box);
  if (tone !== "bad") setTimeout(() => box.remove(), 4000);
  else box.insertAdjacentHTML("beforeend", '<button type="button" class="icon-button" data-dismiss aria-label="Dismiss">×</button>');
}

const dismiss = (box) => [box.remove(), box.back?.focus()];

// --- Buttons that only scripts can serve ---
const ACTIONS = {
  "[data-theme-switch]": (button) => import(button.dataset.themeSwitch).then((script) => script.next(button)).then(nameTheme),
  "[data-copy]": ({ dataset: { copy, copyFrom } }) => {
    const copied = async () => navigator.clipboard.writeText(copyFrom ? document.getElementById(copyFrom).textContent : copy);
    copied().then(() => toast("Copied."), () => toast("The browser did not allow copying. Select the text and copy it yourself.", "bad"));
  },
  "[data-reveal]": (button) => {
    const input = document.getElementById(button.dataset.reveal);
    const show = input.type === "password";
    input.type = show ? "text" : "password";
    button.setAttribute("aria-pressed", String(show));
    button.querySelector("[data-reveal-text]").textContent = show ? "Hide" : "Show";
  },
  "[data-select]": (button) => import(button.dataset.script).then((script) => script.all(button)),
  "[data-dismiss]": (button) => dismiss(button.closest(".toast, .notice")),
};

document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(ACTIONS)) {
    const button = event.target.closest(selector);
    if (button) act(button);
  }
});

document.addEventListener("change", ({ target }) => {
  const button = target.form?.querySelector("[data-select]");
  if (button) import(button.dataset.script).then((script) => script.count(button));
});

// --- Keys ---
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = event.target.closest("details.menu[open]");
    closeMenus();
    if (menu) menu.querySelector("summary").focus();
  }
  const typing = event.target.closest("input, select, textarea, [contenteditable], dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = event.key === "?" && document.querySelector("[data-shortcuts]");
  if (keys) import(keys.dataset.script).then((script) => script.show(keys.dataset.shortcuts));
  const search = event.key === "/" && document.querySelector("[data-search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

// --- Requests: one at a time per form or button, and a word when the server cannot be reached ---
// Before htmx sees it: that would give up the first request for the second.
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("aria-busy") !== "true") return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
  document.querySelectorAll("#toasts > .bad").forEach((box) => box.remove());
  if (elt.matches("form, button")) elt.setAttribute("aria-busy", "true");
});
document.addEventListener("htmx:afterRequest", (event) => event.detail.elt.removeAttribute("aria-busy"));

// A form that the browser sends by itself is at work until the next page is there, or this one comes back.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog" || form.matches("[data-download]")) return;
  form.setAttribute("aria-busy", "true");
  document.getElementById("progress").classList.add("htmx-request");
});

window.addEventListener("pageshow", () => {
  document.getElementById("progress").classList.remove("htmx-request");
  for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
});

document.addEventListener("htmx:sendError", () => toast("The server could not be reached. What you typed is still here: try again.", "bad"));
document.addEventListener("htmx:timeout", () => toast("This took too long. What you typed is still here: try again.", "bad"));

// A page about a problem takes the place of this one, unless what was typed here would be lost with it, or it is a whole
// page (500, 503, 413): then its heading and its first sentences are said here.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { xhr: { status }, serverResponse, requestConfig: { verb, elt } } = detail;
  if (status < 400 || status === 422) return;
  const typed = verb !== "get" && [...(elt.closest("form")?.elements ?? [])].some((one) => one.matches(".input") && one.value);
  if (detail.shouldSwap && !(typed && serverResponse.includes("data-problem"))) return;
  detail.shouldSwap = false;
  const page = new DOMParser().parseFromString(serverResponse, "text/html");
  const said = ["h1", "h1 ~ p"].map((part) => page.querySelector(part)?.textContent.replace(/\s+/g, " ").trim());
  const words = said[1] ? said.join(". ") : `The server answered with an error (${status}).`;
  toast(`${words} ${typed ? "What you typed is still here." : "Nothing on this page was lost."}`, "bad");
});

nameTheme();
if (document.getElementById("errors")) focusStart(document);

// --- A field that is being corrected no longer says what was wrong with it ---
document.addEventListener("input", (event) => {
  const control = event.target;
  if (control.getAttribute("aria-invalid") !== "true") return;
  control.removeAttribute("aria-invalid");
  document.getElementById(`${control.id}_error`)?.remove();
});

// --- Going back in the wizard: the step that was left keeps what was answered, as soon as the server has accepted it ---
document.addEventListener("htmx:beforeHistoryUpdate", (event) => {
  const next = new URL(event.detail.history.path, location.href);
  const answered = next.searchParams.has("endpoint") && !next.searchParams.has("step");
  if (!answered || next.pathname !== location.pathname) return;
  next.searchParams.set("step", "configuration");
  history.replaceState(history.state, "", next);
});

// --- Fetched where it is needed: sorting by dragging, and asking ahead for the page behind a link ---
const { preload } = document.currentScript.dataset;
const fetchSorting = () => document.querySelectorAll("[data-sort]").forEach((list) => import(list.dataset.sort));
document.addEventListener("htmx:afterSettle", fetchSorting);
fetchSorting();
if (preload) for (const sign of ["pointerover", "focusin"]) document.addEventListener(sign, () => import(preload), { once: true });
