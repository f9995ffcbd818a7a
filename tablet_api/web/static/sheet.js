// Sheets: dialogs that the box rendered along. `data-sheet="id"` opens one, `data-closes` closes the one it is in.

import { $ } from "./words.js";

document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[data-sheet]");
  if (opener) $(opener.dataset.sheet).showModal();
  else if (target.closest("[data-closes]")) target.closest("dialog").close();
  else if (target.matches("dialog.sheet")) target.close(); // beside it
});

// What was asked for in a sheet is done: it goes.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) detail.elt.closest?.("dialog")?.close();
});
