// Sheets: dialogs that the box rendered along. `data-sheet="id"` opens one, `data-closes` closes the one it is in.

import { $ } from "./words.js";

document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[data-sheet]");
  const closes = target.closest("[data-closes]");
  if (closes) closes.closest("dialog").close();
  if (opener) $(opener.dataset.sheet).showModal();
  else if (target.matches("dialog.sheet")) target.close(); // beside it
});

// What was asked for in a sheet is done: it goes, unless it was only a question on the way (`data-stays`).
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && !detail.elt.closest?.("[data-stays]")) detail.elt.closest?.("dialog")?.close();
});
