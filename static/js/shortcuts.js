// The list of keys is a page of its own; here it is read once and shown above the present one.
export async function show(address) {
  let dialog = document.getElementById("keys");
  if (!dialog) {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
    const list = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("shortcuts");
    if (!list || document.getElementById("keys")) return;
    dialog = document.createElement("dialog");
    dialog.id = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    dialog.innerHTML = '<form method="dialog"><h2 id="keys-title">Keyboard shortcuts</h2><button class="button small">Close</button></form>';
    list.removeAttribute("id"); // the page of the keys has it too
    dialog.append(list);
    document.body.append(dialog);
  }
  dialog.showModal();
}
