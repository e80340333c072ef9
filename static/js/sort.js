// Sorting a list by dragging. The list has data-sort and data-first (the place of its first row), each row data-sort-id
// and data-name, and in it a [data-grip]. It stands in a form that takes the row's id and its new place.
// The others move around the row that is dragged: a row that is moved itself would lose the finger that holds it.
let drag = null;

const rows = (list) => [...list.querySelectorAll(":scope > [data-sort-id]")];
const middle = (row) => row.getBoundingClientRect().top + row.offsetHeight / 2;
const place = () => Number(drag.list.dataset.first) + rows(drag.list).indexOf(drag.row);

function start(event) {
  const grip = event.target.closest("[data-grip]");
  if (!grip || event.button !== 0 || drag) return;
  event.preventDefault();
  const row = grip.closest("[data-sort-id]");
  const list = row.closest("[data-sort]");
  drag = { row, list, before: rows(list), pointer: event.pointerId };
  drag.from = place();
  grip.setPointerCapture(event.pointerId);
  row.classList.add("dragged");
}

function move(event) {
  if (!drag || event.pointerId !== drag.pointer) return;
  const { row, list } = drag;
  const before = place();
  while (row.previousElementSibling && event.clientY < middle(row.previousElementSibling)) row.after(row.previousElementSibling);
  while (row.nextElementSibling && event.clientY > middle(row.nextElementSibling)) row.before(row.nextElementSibling);
  const edge = event.clientY < 60 ? -12 : event.clientY > innerHeight - 60 ? 12 : 0;
  if (edge) window.scrollBy(0, edge);
  if (place() !== before) list.parentElement.querySelector("[data-sort-said]").textContent = `${row.dataset.name}: place ${place()}`;
}

function end(keep) {
  if (!drag) return;
  const { row, list, before, from } = drag;
  const wanted = place();
  row.classList.remove("dragged");
  drag = null;
  if (!keep) list.append(...before);
  else if (wanted !== from) send(row, list, before, wanted);
}

function send(row, list, before, wanted) {
  const form = list.closest("form");
  const added = Object.entries({ ai_llm: row.dataset.sortId, place: wanted }).map(([name, value]) => {
    const input = Object.assign(document.createElement("input"), { type: "hidden", name, value });
    form.append(input);
    return input;
  });
  // Refused or not answered: as it was before. (With an answer, the page is drawn anew.)
  form.addEventListener("htmx:afterRequest", (event) => {
    added.forEach((input) => input.remove());
    if (!event.detail.successful) list.append(...before);
  }, { once: true });
  form.requestSubmit();
}

document.addEventListener("pointerdown", start);
document.addEventListener("pointermove", move);
document.addEventListener("pointerup", () => end(true));
document.addEventListener("pointercancel", () => end(false));
document.addEventListener("keydown", (event) => event.key === "Escape" && end(false));
