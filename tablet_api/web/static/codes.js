// One-time codes: how long one holds still, second by second; when it is over, it leaves the glass.

import { $, countdown, write } from "./words.js";

const ends = new WeakMap();

function tick() {
  for (const element of document.querySelectorAll("[data-left]")) {
    if (!ends.has(element)) ends.set(element, performance.now() + Number(element.dataset.left) * 1000);
    const seconds = Math.ceil((ends.get(element) - performance.now()) / 1000);
    if (seconds > 0) {
      write(element, countdown(seconds));
      continue;
    }
    $("one-time-over").hidden = false;
    $("one-time-shown").remove();
  }
}

setInterval(tick, 500);
document.addEventListener("htmx:afterSwap", tick);
