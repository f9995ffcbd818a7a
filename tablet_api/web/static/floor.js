// The roster: who waits, who is happy to be noticed. Rows never move under a finger.

import { $, arrange, clone, paintSign, write } from "./dom.js";
import { listed, minutesSince, say, signName, span } from "./words.js";

const SETTLE_MS = 500; // after the finger has left
const AIMED_MS = 250; // a tap so soon after rows moved was aimed at what was there before

export class Floor {
  constructor(choose) {
    this.choose = choose;
    this.visits = new Map(); // in the order of the roster
    this.outage = ""; // what is said of receivers that are out
    this.rows = new Map();
    this.chosen = null;
    this.touching = false;
    this.releasedAt = -Infinity;
    this.movedAt = -Infinity;
    this.later = 0;
    const list = $("list");
    list.addEventListener("pointerdown", () => this.#hold());
    for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, () => this.#release());
    list.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.#release());
    list.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row?.dataset.handle && performance.now() - this.movedAt > AIMED_MS) this.choose(row.dataset.handle);
    });
    setInterval(() => this.#tick(), 5000);
  }

  // --- what the stream says ---

  replace(visits, radios) {
    this.outage = outageOf(radios);
    this.visits = new Map(visits.map((visit) => [visit.handle, visit]));
    this.#show();
  }

  change(change) {
    this.outage = outageOf(change.radios);
    for (const handle of change.gone) this.visits.delete(handle);
    const arrived = [];
    for (const visit of change.visits) {
      const before = this.visits.get(visit.handle);
      if (visit.help && !before?.help) arrived.push(visit);
      this.visits.set(visit.handle, visit);
    }
    if (change.order) {
      this.visits = new Map(
        change.order.filter((handle) => this.visits.has(handle)).map((handle) => [handle, this.visits.get(handle)]),
      );
    }
    this.#show();
    if (arrived.length) write($("announce"), say("floor.announce", { zone: zoneOf(arrived[0]) }));
  }

  clear() {
    this.visits.clear();
    this.chosen = null;
    clearTimeout(this.later);
    for (const id of ["waiting", "here"]) $(id).replaceChildren();
    this.rows.clear();
    this.outage = "";
    for (const id of ["announce", "outage"]) write($(id), "");
  }

  select(handle) {
    this.chosen = handle;
    for (const [one, row] of this.rows) this.#mark(row, one);
  }

  focus(handle) {
    this.rows.get(handle)?.firstElementChild.focus({ preventScroll: true });
  }

  // --- rows ---

  #show() {
    // What is gone is blank at once, finger or not. Its place closes when nobody touches the list.
    for (const [handle, row] of this.rows) {
      const visit = this.visits.get(handle);
      if (visit && row.firstElementChild) this.#paint(row, visit);
      else row.replaceChildren();
    }
    const wait = this.touching ? SETTLE_MS : this.releasedAt + SETTLE_MS - performance.now();
    clearTimeout(this.later);
    if (wait > 0) this.later = setTimeout(() => this.#show(), wait);
    else this.#arrange();
  }

  #arrange() {
    for (const [handle, row] of this.rows) {
      if (!this.visits.has(handle) || !row.firstElementChild) this.rows.delete(handle);
    }
    const groups = { waiting: [], here: [] };
    for (const visit of this.visits.values()) {
      let row = this.rows.get(visit.handle);
      if (!row) {
        row = clone("row");
        row.firstElementChild.dataset.handle = visit.handle;
        this.rows.set(visit.handle, row);
        this.#paint(row, visit);
      }
      groups[visit.help ? "waiting" : "here"].push(row);
    }
    const before = this.#places();
    write($("outage"), this.outage);
    for (const [name, rows] of Object.entries(groups)) {
      arrange($(name), rows);
      $(`group-${name}`).hidden = rows.length === 0;
      write($(`${name}-count`), String(rows.length));
    }
    $("empty").hidden = this.visits.size > 0;
    for (const [handle, top] of this.#places()) if (before.has(handle) && before.get(handle) !== top) this.movedAt = performance.now();
  }

  // Only when somebody could aim at a row does it matter where rows are.
  #places() {
    const places = new Map();
    for (const [handle, row] of this.rows) if (row.isConnected) places.set(handle, row.offsetTop);
    return places;
  }

  #paint(row, visit) {
    const button = row.firstElementChild;
    const [sign, text, time] = button.children;
    const named = signName(visit);
    const zone = zoneOf(visit);
    paintSign(sign, visit);
    write(text.children[0], named || zone);
    button.classList.toggle("waits", visit.help && !visit.attended_by);
    button.classList.toggle("taken", Boolean(visit.attended_by));
    button.classList.toggle("long", visit.escalated);
    const helper = visit.attended_by_me ? say("floor.helping_me") : visit.attended_by ? say("floor.helping", { name: visit.attended_by }) : "";
    write(text.children[1], [named && (visit.zone_label || !helper) ? zone : "", helper].filter(Boolean).join(" · "));
    this.#time(time, visit);
    this.#mark(row, visit.handle);
  }

  #mark(row, handle) {
    const button = row.firstElementChild;
    if (!button) return;
    if (handle === this.chosen) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }

  #time(element, visit) {
    const minutes = minutesSince(visit.help && visit.waiting_since ? visit.waiting_since : visit.arrived);
    write(element, span(minutes));
  }

  #tick() {
    for (const [handle, row] of this.rows) {
      const visit = this.visits.get(handle);
      if (visit && row.firstElementChild) this.#time(row.firstElementChild.lastElementChild, visit);
    }
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

export const zoneOf = (visit) => visit.zone_label || say("floor.no_zone");

// What is to be said of receivers that do not hear: where, and what that means there. Of a blind zone nobody is listed.
function outageOf(radios) {
  const of = (blind) => radios.filter((radio) => radio.blind === blind).map((radio) => radio.zone_label);
  return [...said(of(false), "floor.radio_listed"), ...said(of(true), "floor.radio_blind")].join(" ");
}

function said(labels, meaning) {
  if (labels.length === 0) return [];
  const zones = [...new Set(labels.filter(Boolean))];
  const sentences = zones.length > 1 ? [say("floor.radios", { zones: listed(zones) })] : zones.map((zone) => say("floor.radio", { zone }));
  if (labels.includes("")) sentences.push(say("floor.radio_nowhere"));
  return [...sentences, say(meaning)];
}
