// The list of the floor, from rows that the box rendered. Rows never move under a finger.

import { $, fill, write } from "./words.js";

const SETTLE_MS = 500; // after the finger has left
const AIMED_MS = 250; // a tap so soon after rows moved was aimed at what was there before

export class Floor {
  constructor(choose) {
    this.visits = new Map(); // handle → row, in the order of the roster; not all of them stand in the list yet
    this.outage = ""; // what is said of receivers that are out
    this.chosen = null;
    this.touching = false;
    this.releasedAt = -Infinity;
    this.movedAt = -Infinity;
    this.later = 0;
    const within = ({ target }) => target.closest?.("#list");
    document.addEventListener("pointerdown", (event) => within(event) && this.#hold(), true);
    for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, () => this.#release());
    document.addEventListener("pointermove", (event) => event.pointerType === "mouse" && within(event) && this.#release(), true);
    document.addEventListener("click", (event) => {
      const row = within(event) && event.target.closest(".row");
      if (row && performance.now() - this.movedAt > AIMED_MS) choose(row.parentElement.dataset.handle);
    });
  }

  // --- what the stream says: an element with the outage, the lease's words, and the rows that are new or changed ---

  replace(said) {
    const told = new Set(said.dataset.order.split(" "));
    for (const handle of this.visits.keys()) if (!told.has(handle)) this.visits.delete(handle);
    this.#take(said);
  }

  // Returns the calls for help that were not there before.
  change(said) {
    for (const handle of said.dataset.gone.split(" ")) this.visits.delete(handle);
    return this.#take(said);
  }

  #take(said) {
    const [outage, , rows] = said.children;
    this.outage = outage.textContent;
    const arrived = [];
    for (const row of [...rows.children]) {
      const { handle, help } = row.dataset;
      const before = this.visits.get(handle);
      if (help && !before?.dataset.help) arrived.push(row);
      fill(row);
      if (before) this.#repaint(before, row);
      else this.visits.set(handle, row);
    }
    if (said.dataset.order !== undefined) {
      const order = said.dataset.order.split(" ").filter((handle) => this.visits.has(handle));
      this.visits = new Map(order.map((handle) => [handle, this.visits.get(handle)]));
    }
    this.#show();
    return arrived;
  }

  clear() {
    this.visits.clear();
    this.chosen = null;
    clearTimeout(this.later);
    for (const id of ["waiting", "here"]) $(id)?.replaceChildren();
    this.outage = "";
    for (const id of ["announce", "outage"]) write($(id), "");
  }

  select(handle) {
    if (this.chosen !== handle) this.#mark(this.visits.get(this.chosen), false);
    this.chosen = handle;
    this.#mark(this.visits.get(handle), true);
  }

  focus(handle) {
    this.visits.get(handle)?.firstElementChild?.focus({ preventScroll: true });
  }

  // --- rows ---

  // What a row says anew is written into the row that stands there, so that a finger or the focus on it stays.
  #repaint(row, fresh) {
    Idiomorph.morph(row, fresh, { morphStyle: "outerHTML", restoreFocus: false });
    if (row.dataset.handle === this.chosen) this.#mark(row, true);
  }

  #mark(row, chosen) {
    const button = row?.firstElementChild;
    if (chosen) button?.setAttribute("aria-current", "true");
    else button?.removeAttribute("aria-current");
  }

  #standing() {
    return [...$("waiting").children, ...$("here").children];
  }

  #show() {
    if (!$("list")) return;
    // What is gone is blank at once, finger or not. Its place closes when nobody touches the list.
    for (const row of this.#standing()) if (this.visits.get(row.dataset.handle) !== row) row.replaceChildren();
    const wait = this.touching ? SETTLE_MS : this.releasedAt + SETTLE_MS - performance.now();
    clearTimeout(this.later);
    if (wait > 0) this.later = setTimeout(() => this.#show(), wait);
    else this.#arrange();
  }

  #arrange() {
    const groups = { waiting: [], here: [] };
    for (const row of this.visits.values()) groups["help" in row.dataset ? "waiting" : "here"].push(row);
    const before = this.#places();
    write($("outage"), this.outage);
    for (const [name, rows] of Object.entries(groups)) {
      arrange($(name), rows);
      $(`group-${name}`).hidden = rows.length === 0;
      write($(`${name}-count`), String(rows.length));
    }
    $("empty").hidden = this.visits.size > 0;
    if (this.chosen !== null) this.select(this.chosen);
    for (const [row, top] of this.#places()) if (before.has(row) && before.get(row) !== top) this.movedAt = performance.now();
  }

  #places() {
    return new Map(this.#standing().map((row) => [row, row.offsetTop]));
  }

  // --- fingers ---

  #hold() {
    this.touching = true;
  }

  #release() {
    this.touching = false;
    this.releasedAt = performance.now();
  }
}

// Brings the children of `parent` into the order of `elements` by moving as few as possible.
function arrange(parent, elements) {
  const focused = document.activeElement;
  const kept = new Set(elements);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let moved = false;
  elements.forEach((element, index) => {
    if (parent.children[index] === element) return;
    parent.insertBefore(element, parent.children[index] ?? null);
    moved = true;
  });
  if (moved && parent.contains(focused) && document.activeElement !== focused) focused.focus({ preventScroll: true });
}
