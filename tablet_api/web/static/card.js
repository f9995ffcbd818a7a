// The card of one visit: fetched when it is opened, and again when the box says that it changed.

import { afterPicture } from "./glass.js";
import { $, say, toast } from "./words.js";

const handleOf = (path) => /^\/visits\/([^/?]+)/.exec(path)?.[1];

export class Card {
  // `closed` is called when the card is not shown any more.
  constructor({ closed }) {
    this.closed = closed;
    this.handle = null;
    document.addEventListener("htmx:beforeSwap", ({ detail }) => this.#before(detail));
    document.addEventListener("htmx:afterSwap", ({ detail }) => detail.target?.id === "card-place" && this.#show());
    for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, ({ detail }) => this.#lost(detail));
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
    });
  }

  open(handle) {
    if (this.handle !== handle) this.#forget();
    this.handle = handle;
    afterPicture(() => handle === this.handle && this.refresh()); // what was chosen is seen first
  }

  // htmx asks one question at a time for the same place; what changes meanwhile is asked once more.
  refresh() {
    const address = $("card")?.dataset.address ?? `/visits/${this.handle}`;
    htmx.ajax("GET", address, { source: "#card-place", target: "#card-place", swap: "morph:innerHTML" }).catch(() => {});
  }

  close() {
    if (this.handle === null) return;
    this.#forget();
    this.handle = null;
    this.closed();
  }

  // Takes everything off the page, as if it had never been there.
  #forget() {
    const place = $("card-place");
    if (!place) return;
    htmx.trigger(place, "htmx:abort");
    place.replaceChildren();
    $("pick").hidden = false;
  }

  #before(detail) {
    const handle = handleOf(detail.pathInfo.requestPath);
    if (handle === undefined) return;
    if (detail.xhr.status === 404) {
      detail.shouldSwap = false;
      detail.isError = false;
      if (handle === this.handle) this.close();
    } else if (detail.target.id === "card-place") {
      detail.shouldSwap = handle === this.handle; // another one was opened meanwhile, or none
    } else if (handle === this.handle && !$("card")) this.close();
  }

  #show() {
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
    if (!$("card")) this.close();
  }
}

function toggle(why) {
  const because = $(why.getAttribute("aria-controls"));
  because.hidden = !because.hidden;
  why.setAttribute("aria-expanded", String(!because.hidden));
}
