// How it stands between the store and headquarters, in the bar: up to date, or closing in so many minutes and seconds.

import { $, countdown, say, wait, write } from "./words.js";

const SPOKEN_S = [300, 120, 60, 30, 10]; // what a screen reader is told on the way; not every second

export class Lease {
  constructor() {
    this.endsAt = 0;
    this.lengthS = 0;
    this.said = Infinity;
    this.words = "";
    this.timer = 0;
  }

  // A live lease as the stream told it just now; `words` are for its second half.
  hold(leftS, lengthS, words) {
    this.endsAt = performance.now() + leftS * 1000;
    this.lengthS = lengthS;
    this.words = words;
    $("lease").hidden = false;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.#show(), 250); // written only when the second is another
    this.#show();
  }

  // There is none: the page says so itself.
  drop() {
    clearInterval(this.timer);
    this.said = Infinity;
    delete document.body.dataset.lease;
    if ($("lease")) $("lease").hidden = true;
    for (const id of ["lease-words", "lease-left", "lease-told"]) write($(id), "");
  }

  #show() {
    if (!$("lease")) return this.drop();
    const leftS = Math.max(0, Math.ceil((this.endsAt - performance.now()) / 1000));
    const fresh = $("lease-fresh").textContent;
    if (leftS * 2 > this.lengthS) {
      const was = document.body.dataset.lease;
      document.body.dataset.lease = "fresh";
      write($("lease-words"), fresh);
      write($("lease-left"), "");
      if (was === "waning") write($("lease-told"), fresh);
      this.said = Infinity;
      return;
    }
    document.body.dataset.lease = "waning";
    write($("lease-words"), this.words);
    write($("lease-left"), say("closes", { time: countdown(leftS) }));
    const due = SPOKEN_S.filter((seconds) => leftS <= seconds).pop() ?? this.lengthS;
    if (due >= this.said) return;
    this.said = due;
    write($("lease-told"), `${this.words}, ${say("closes", { time: wait(leftS) })}`);
  }
}
