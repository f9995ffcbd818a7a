// The list of the floor, from rows that the box rendered. Rows never move under a finger.

import { $, fill, write } from "./words.js";

const SETTLE_MS = 500; // after the finger has left
const AIMED_MS = 250; // a tap so soon after rows moved was aimed at what was there before
const PLACED_MS = 200; // at least between two times that rows are put in their places
const ROWS = 24; // more stand in the list only once somebody scrolls there: each picture costs by the rows in it
const SLICE_MS = 8; // rows are written in slices, so that a tap never waits for a whole event of a slow tablet

export class Floor {
  constructor(choose) {
    this.visits = new Map(); // handle → row, in the order of the roster; not all of them stand in the list yet
    this.standing = []; // the rows in the list, from top to bottom
    this.most = ROWS; // so many stand in it at most
    this.rest = null; // the room of all others below them
    this.near = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && this.#further(), { scrollMargin: "800px" });
    this.called = null; // handle → whether handed to us: who was heard to call, also while nothing may be shown
    this.outage = ""; // what is said of receivers that are out
    this.chosen = null;
    this.touching = false;
    this.releasedAt = -Infinity;
    this.placedAt = -Infinity;
    this.movedAt = -Infinity; // all of them
    this.moved = new WeakMap(); // row → when it moved
    this.height = new WeakMap(); // row → how high it was last
    this.heights = new ResizeObserver((entries) => this.#resized(entries)); // a row that grows moves those below
    this.later = 0;
    this.frame = 0;
    this.fresh = new Map(); // handle → what its row says anew, and is not written yet
    this.writing = 0;
    this.written = []; // what waits until all of it is
    const within = ({ target }) => target.closest?.("#list");
    document.addEventListener("pointerdown", (event) => within(event) && this.#hold(), true);
    for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, () => this.#release());
    document.addEventListener("pointermove", (event) => event.pointerType === "mouse" && within(event) && this.#release(), true);
    document.addEventListener("click", (event) => {
      const row = within(event) && event.target.closest(".row");
      if (row && this.#aimedAt(row.parentElement)) choose(row.parentElement.dataset.handle);
    });
  }

  // --- what the stream says: an element with the outage, the lease's words, and the rows that are new or changed ---

  // Both return the calls for help that were not there before. `written` is called when the rows say what they say now.
  replace(said, written) {
    const told = new Set(said.dataset.order.split(" "));
    this.#drop([...this.visits.keys(), ...(this.called?.keys() ?? [])].filter((handle) => !told.has(handle)));
    const begins = this.called === null;
    this.called ??= new Map();
    const arrived = this.#take(said, written);
    return begins ? [] : arrived;
  }

  change(said, written) {
    this.#drop(said.dataset.gone.split(" "));
    return this.#take(said, written);
  }

  // What is gone is blank at once, finger or not. Its place closes when nobody touches the list.
  #drop(handles) {
    for (const handle of handles) {
      this.visits.get(handle)?.replaceChildren();
      this.visits.delete(handle);
      this.fresh.delete(handle);
      this.called?.delete(handle);
    }
  }

  #take(said, written) {
    this.outage = said.firstElementChild.textContent;
    const arrived = [];
    for (const row of rowsOf(said)) {
      const { handle, help, handed } = row.dataset;
      if (help && (!this.called.has(handle) || (handed !== undefined && !this.called.get(handle)))) arrived.push(row);
      if (help) this.called.set(handle, handed !== undefined);
      else this.called.delete(handle);
      if (this.visits.has(handle)) this.fresh.set(handle, row);
      else {
        this.visits.set(handle, document.adoptNode(row));
        fill(row);
        if (handle === this.chosen) this.#mark(row, true);
      }
    }
    this.written.push(written);
    if (said.dataset.order !== undefined) {
      const order = said.dataset.order.split(" ").filter((handle) => this.visits.has(handle));
      this.visits = new Map(order.map((handle) => [handle, this.visits.get(handle)]));
    }
    if (this.standing.length === 0) this.#show();
    this.#write();
    return arrived;
  }

  // Slice by slice, and what several events say of one row once; then everybody is put in place.
  #write() {
    clearTimeout(this.writing);
    const until = performance.now() + SLICE_MS;
    for (const [handle, row] of this.fresh) {
      if (performance.now() > until) {
        this.writing = setTimeout(() => this.#write());
        return;
      }
      this.fresh.delete(handle);
      const standing = this.visits.get(handle);
      if (!standing) continue;
      fill(row);
      patch(standing, row);
      if (handle === this.chosen) this.#mark(standing, true);
    }
    this.frame ||= requestAnimationFrame(() => this.#show());
    for (const told of this.written.splice(0)) told();
  }

  clear() {
    this.visits.clear();
    this.fresh.clear();
    this.written = [];
    clearTimeout(this.writing);
    this.standing = [];
    this.most = ROWS;
    this.near.disconnect();
    this.rest = null;
    this.chosen = null;
    clearTimeout(this.later);
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.placedAt = -Infinity;
    this.heights.disconnect();
    for (const id of ["waiting", "here"]) $(id)?.replaceChildren();
    this.outage = "";
    for (const id of ["announce", "outage"]) write($(id), "");
  }

  // Somebody else may sign in now.
  forget() {
    this.called = null;
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

  #mark(row, chosen) {
    const button = row?.firstElementChild;
    if (chosen) button?.setAttribute("aria-current", "true");
    else button?.removeAttribute("aria-current");
  }

  #show() {
    this.frame = 0;
    if (!$("list")) return;
    const quiet = Math.max(this.releasedAt + SETTLE_MS, this.placedAt + PLACED_MS) - performance.now();
    const wait = this.touching ? SETTLE_MS : quiet;
    clearTimeout(this.later);
    if (wait > 0) this.later = setTimeout(() => this.#show(), wait);
    else this.#arrange();
  }

  #arrange() {
    const groups = { waiting: [], here: [] };
    for (const row of this.visits.values()) groups[row.hasAttribute("data-help") ? "waiting" : "here"].push(row);
    const now = performance.now();
    this.placedAt = now;
    if ($("outage").textContent !== this.outage) this.movedAt = now;
    write($("outage"), this.outage);
    const focused = [...groups.waiting, ...groups.here].indexOf(document.activeElement?.closest("li"));
    this.most = Math.max(this.most, focused + 1);
    let room = this.most;
    for (const [name, rows] of Object.entries(groups)) {
      arrange($(name), rows.slice(0, room));
      room = Math.max(0, room - rows.length);
      $(`group-${name}`).hidden = rows.length === 0;
      write($(`${name}-count`), String(rows.length));
    }
    $("empty").hidden = this.visits.size > 0;
    this.#leave(this.visits.size - this.most);
    // Told by the order, not by measuring: to measure would lay the page out twice for each event.
    const before = this.standing;
    this.standing = [...groups.waiting, ...groups.here].slice(0, this.most);
    const there = new Set(this.standing);
    before.forEach((row, index) => {
      if (!there.has(row)) {
        this.heights.unobserve(row);
        this.height.delete(row);
      } else if (this.standing[index] !== row) this.moved.set(row, now);
    });
    for (const row of this.standing) if (!this.height.has(row)) this.heights.observe(row);
  }

  // The rows that do not stand in the list have their room, so that it scrolls as if they did.
  #leave(rows) {
    const rest = $("rest");
    rest.style.blockSize = `${Math.max(0, rows) * 4.75}rem`;
    if (this.rest !== rest) {
      this.near.disconnect();
      this.near.observe(rest);
      this.rest = rest;
    }
  }

  #further() {
    if (this.visits.size <= this.most) return;
    this.most += ROWS;
    this.near.disconnect(); // told anew if the room is still near
    this.rest = null;
    this.frame ||= requestAnimationFrame(() => this.#show());
  }

  #resized(entries) {
    const grown = new Set();
    for (const { target, borderBoxSize } of entries) {
      const [{ blockSize }] = borderBoxSize;
      const before = this.height.get(target);
      this.height.set(target, blockSize);
      if (before !== undefined && before !== blockSize) grown.add(target);
    }
    if (grown.size === 0) return;
    const [now, highest] = [performance.now(), this.standing.findIndex((row) => grown.has(row))];
    if (highest >= 0) for (const row of this.standing.slice(highest + 1)) this.moved.set(row, now);
  }

  // --- fingers ---

  // Only a row that has stood where it is can have been meant; others may have moved meanwhile.
  #aimedAt(row) {
    return performance.now() - Math.max(this.movedAt, this.moved.get(row) ?? -Infinity) > AIMED_MS;
  }

  #hold() {
    this.touching = true;
  }

  #release() {
    this.touching = false;
    this.releasedAt = performance.now();
  }
}

// The rows of an event stand in a template: whoever looks for work among what came does not look there.
export const rowsOf = (said) => [...said.querySelector("template").content.children];

// Writes what a row says anew into the row that stands there, so that a finger, the focus or a reader on it stays.
function patch(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.childNodes.length !== fresh.childNodes.length) return old.replaceWith(fresh.cloneNode(true));
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  [...old.childNodes].forEach((child, index) => patch(child, fresh.childNodes[index]));
}

// Brings the children of `parent` into the order of `elements` by moving as few as possible.
function arrange(parent, elements) {
  const focused = document.activeElement;
  const kept = new Set(elements);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let moved = false;
  let next = parent.firstElementChild;
  for (const element of elements) {
    if (next !== null && next !== element && next.nextElementSibling === element) next = element; // that one went down
    if (element === next) next = next.nextElementSibling;
    else {
      parent.insertBefore(element, next);
      moved = true;
    }
  }
  if (moved && parent.contains(focused) && document.activeElement !== focused) focused.focus({ preventScroll: true });
}
