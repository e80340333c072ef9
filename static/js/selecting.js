// Rows that are ticked: all of them at once, and how many there are. The button names the boxes in data-select.
const boxes = (button) => [...button.form.querySelectorAll(`input[name="${button.dataset.select}"]`)];

export function count(button) {
  const number = boxes(button).filter((box) => box.checked).length;
  const said = button.form.querySelector("[data-selected]");
  if (said) said.textContent = number ? `${number} selected` : "";
}

export function all(button) {
  const every = boxes(button).every((box) => box.checked);
  for (const box of boxes(button)) box.checked = !every;
  count(button);
}
