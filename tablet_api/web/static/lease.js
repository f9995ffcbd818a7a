// How it stands between the store and headquarters, in the bar: up to date, or closing in so many minutes and seconds.

import { $, write } from "./dom.js";
import { clockTime, countdown, say, wait } from "./words.js";

const SPOKEN_S = [300, 120, 60, 30, 10]; // what a screen reader is told on the way; not every second

export class Lease {
  constructor() {
    this.endsAt = 0;
    this.lengthS = 0;
    this.said = Infinity;
    this.words = "";
    this.timer = 0;
  }

  // A live lease as the stream told it just now.
  hold(lease) {
    this.endsAt = performance.now() + lease.left_s * 1000;
    this.lengthS = lease.length_s;
    const since = lease.last_word ? clockTime(lease.last_word) : "";
    if (lease.reason === "catching-up") this.words = say("lease.catching_up");
    else this.words = since ? say("lease.no_word", { time: since }) : say("lease.no_word_yet");
    clearInterval(this.timer);
    this.timer = setInterval(() => this.#show(), 250); // written only when the second is another
    this.#show();
  }

  // There is none: the page says so itself.
  drop() {
    clearInterval(this.timer);
    this.said = Infinity;
    delete document.body.dataset.lease;
    for (const id of ["lease-words", "lease-left", "lease-told"]) write($(id), "");
  }

  #show() {
    const leftS = Math.max(0, Math.ceil((this.endsAt - performance.now()) / 1000));
    if (leftS * 2 > this.lengthS) {
      const was = document.body.dataset.lease;
      document.body.dataset.lease = "fresh";
      write($("lease-words"), say("lease.fresh"));
      write($("lease-left"), "");
      if (was === "waning") write($("lease-told"), say("lease.fresh"));
      this.said = Infinity;
      return;
    }
    document.body.dataset.lease = "waning";
    write($("lease-words"), this.words);
    write($("lease-left"), say("lease.closes", { time: countdown(leftS) }));
    const due = SPOKEN_S.filter((seconds) => leftS <= seconds).pop() ?? this.lengthS;
    if (due >= this.said) return;
    this.said = due;
    write($("lease-told"), `${this.words}, ${say("lease.closes", { time: wait(leftS) })}`);
  }
}
