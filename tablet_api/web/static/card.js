// The card of one visit: fetched when it is opened, and again when the box says that it changed.

import { afterPicture } from "./glass.js";
import { $, say, toast } from "./words.js";

const AGAIN_MS = 1500;
const OUTDATED_MS = 800; // what changed is not shown longer, whether or not the box answers

const handleOf = (path) => /^\/visits\/([^/?]+)/.exec(path)?.[1];
const isLook = ({ elt }) => elt.id === "card-place";

export class Card {
  // `closed` is called when the card is not shown any more.
  constructor({ closed }) {
    this.closed = closed;
    this.handle = null;
    this.asking = false; // for a card; an answer is under way
    this.outdated = 0;
    this.again = 0;
    document.addEventListener("htmx:beforeRequest", ({ detail }) => isLook(detail) && (this.asking = true));
    document.addEventListener("htmx:beforeSwap", ({ detail }) => this.#before(detail));
    document.addEventListener("htmx:afterSwap", ({ detail }) => this.#swapped(detail));
    for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, ({ detail }) => this.#lost(detail));
    document.addEventListener("htmx:afterRequest", ({ detail }) => (isLook(detail) ? (this.asking = false) : this.#acted(detail)));
    document.addEventListener("click", ({ target }) => {
      if (target.closest("#card-back")) this.close();
      const why = target.closest(".why");
      if (why) toggle(why);
    });
    // What is opened here stays so when the card is drawn again.
    Object.assign(Idiomorph.defaults.callbacks, {
      beforeAttributeUpdated: (name, element) =>
        !((name === "open" && element.matches("dialog, details")) || (name === "aria-expanded" && element.matches(".why")) || (name === "hidden" && element.matches(".because"))),
      beforeNodeMorphed: (old, fresh) =>
        !(old.nodeName === "TIME" && old.dateTime === fresh.dateTime && !fresh.textContent) &&
        !(old.dataset?.kept !== undefined && old.closest("dialog").open),
      beforeNodeRemoved: (old) => !(old.classList?.contains("wrong") && old.closest("dialog")?.open),
    });
  }

  open(handle) {
    if (this.handle !== handle) this.#forget();
    this.handle = handle;
    afterPicture(() => handle === this.handle && this.refresh()); // what was chosen is seen first
  }

  // The box said that it changed. What went must be off the page also where the answer does not come.
  change() {
    this.outdated ||= setTimeout(() => this.#empty(), OUTDATED_MS);
    this.refresh();
  }

  // htmx asks one question at a time for the same place; what changes meanwhile is asked once more.
  refresh() {
    clearTimeout(this.again);
    const address = $("card")?.dataset.address ?? `/visits/${this.handle}`;
    htmx.ajax("GET", address, { source: "#card-place", target: "#card-place", swap: "morph:innerHTML" }).catch(() => {});
  }

  close() {
    if (this.handle === null) return;
    this.#forget();
    this.handle = null;
    this.closed();
  }

  // Takes everything off the page, as if it had never been there. What an associate did is still told to the box.
  #forget() {
    clearTimeout(this.again);
    this.#renewed();
    const place = $("card-place");
    if (!place) return;
    htmx.trigger(place, "htmx:abort");
    place.replaceChildren();
    $("pick").hidden = false;
  }

  #renewed() {
    clearTimeout(this.outdated);
    this.outdated = 0;
  }

  // The card is open, and what it says is not known at the moment.
  #empty() {
    $("card-place")?.replaceChildren($("card-again").content.cloneNode(true));
  }

  #before(detail) {
    const handle = handleOf(detail.pathInfo.requestPath);
    if (handle === undefined) return;
    const { status } = detail.xhr;
    if (detail.requestConfig.verb === "get" && status === 404) {
      detail.shouldSwap = false;
      detail.isError = false;
      if (handle === this.handle) this.close();
    } else if (detail.target.id === "card-place") {
      if (handle === this.handle) return;
      // Another one was opened meanwhile, or none: of what an associate did, only what is said in passing.
      if (detail.requestConfig.verb === "get") detail.shouldSwap = false;
      else detail.swapOverride = "none";
    } else if (handle === this.handle && detail.target.id === "toast") this.#failed(detail);
    else if (handle === this.handle && !$("card")) this.close();
  }

  #swapped({ target, pathInfo }) {
    if (target?.id === "card-place" && handleOf(pathInfo.requestPath) === this.handle) this.#show();
  }

  #show() {
    this.#renewed();
    if (!$("card")) return this.close();
    const opens = !$("pick").hidden;
    if (opens) $("pick").hidden = true;
    // With the next picture: both need the layout, and a tap meanwhile is not to wait for it.
    requestAnimationFrame(() => {
      if (opens) $("pane").scrollTop = 0;
      // Who uses a keyboard stays on the card when what had the focus is gone.
      if (opens || document.activeElement === document.body) $("card")?.focus({ preventScroll: true });
    });
  }

  #lost(detail) {
    if (handleOf(detail.pathInfo.requestPath) !== this.handle) return;
    toast(say("network"));
    this.#failed(detail);
  }

  // No card came. What could not be opened closes; what was open is emptied, and asked for until the box answers.
  #failed(detail) {
    if (!isLook(detail)) return;
    if (!$("pick").hidden) return this.close();
    this.#empty();
    this.again = setTimeout(() => this.handle !== null && this.refresh(), AGAIN_MS);
  }

  // An answer to a look that was asked for before somebody acted may come after theirs, and say what was before.
  #acted({ requestConfig, pathInfo }) {
    if (!this.asking || requestConfig.verb === "get" || handleOf(pathInfo.requestPath) !== this.handle) return;
    htmx.trigger($("card-place"), "htmx:abort");
    this.refresh();
  }
}

function toggle(why) {
  const because = $(why.getAttribute("aria-controls"));
  because.hidden = !because.hidden;
  why.setAttribute("aria-expanded", String(!because.hidden));
}
