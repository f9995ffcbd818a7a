// Sheets: dialogs that the box rendered along. `data-sheet="id"` opens one, `data-closes` closes the one it is in.

import { $ } from "./words.js";

document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[data-sheet]");
  const closes = target.closest("[data-closes]");
  if (closes) closes.closest("dialog").close();
  if (opener) open($(opener.dataset.sheet));
  else if (target.matches("dialog.sheet")) target.close(); // beside it
});

function open(sheet) {
  sheet.querySelector(".wrong")?.remove();
  sheet.showModal();
}

// What is said in passing lies below an open sheet, and nobody who hears the page is told it: so it stands in the sheet.
new MutationObserver(() => {
  const [sheet, text] = [document.querySelector("dialog.sheet[open]"), $("toast").textContent.trim()];
  if (!sheet || !text) return;
  sheet.querySelector(".wrong")?.remove();
  const wrong = document.createElement("p");
  wrong.className = "wrong";
  wrong.setAttribute("role", "alert");
  wrong.textContent = text;
  sheet.querySelector("h2").after(wrong);
}).observe($("toast"), { childList: true, characterData: true, subtree: true });

// What was asked for in a sheet is done: it goes, unless it was only a question on the way (`data-stays`).
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && !detail.elt.closest?.("[data-stays]")) detail.elt.closest?.("dialog")?.close();
});
