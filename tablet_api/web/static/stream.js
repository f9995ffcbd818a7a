// The stream of the floor, as htmx's extension follows it. Who hears nothing for 12 seconds shows nothing.

import { $ } from "./words.js";

const SILENCE_MS = 12000;
const AGAIN_MS = 1500;

export class Stream {
  // `on` has roster, change, card and dark, each called with the element that the event brought, and silent.
  constructor(on) {
    this.on = on;
    this.source = null;
    this.wanted = false;
    this.heardAt = 0;
    this.again = 0;
    this.heard = []; // events that are not told yet
    this.telling = 0;
    setInterval(() => this.#watch(), 1000);
    document.addEventListener("htmx:sseOpen", ({ detail }) => this.#opened(detail.source));
    document.addEventListener("htmx:sseError", (event) => this.#failed(event));
    document.addEventListener("htmx:sseBeforeMessage", (event) => this.#heard(event));
  }

  // The page has an element that follows already.
  begin() {
    this.wanted = true;
    this.heardAt = performance.now();
  }

  close() {
    this.wanted = false;
    clearTimeout(this.again);
    this.#drop();
  }

  // Asks for a new element that follows; if nobody is signed in any more the answer is another screen.
  renew(afterMs = 0) {
    this.wanted = true;
    this.#drop();
    clearTimeout(this.again);
    this.again = setTimeout(async () => {
      if (!$("stream") || !this.wanted) return;
      await htmx.ajax("GET", "/floor/line", { target: "#stream", swap: "outerHTML" }).catch(() => {});
      clearTimeout(this.again);
      if (this.wanted && $("stream") && !this.source) this.again = setTimeout(() => this.source || this.renew(), AGAIN_MS * (0.5 + Math.random()));
    }, afterMs);
  }

  #drop() {
    $("stream")?.removeAttribute("sse-connect"); // else the extension would connect again by itself, later and later
    this.source?.close();
    this.source = null;
    this.heard = [];
    clearTimeout(this.telling);
    this.telling = 0;
  }

  #opened(source) {
    if (!this.wanted) return source.close();
    if (this.source !== source) this.source?.close();
    this.source = source;
  }

  #failed(event) {
    const { source } = event.detail;
    event.target.removeAttribute("sse-connect");
    source.close();
    if (this.wanted && (this.source === source || this.source === null)) this.renew(AGAIN_MS * Math.random() * 0.3);
  }

  #heard(event) {
    event.preventDefault(); // several come at once after a pause, and a tap is not to wait for all of them
    if (!this.wanted || event.detail.target !== this.source) return;
    this.heardAt = performance.now();
    if (event.detail.type === "beat") return;
    this.heard.push(event.detail);
    this.telling ||= setTimeout(() => this.#tell());
  }

  #tell() {
    const { type, data } = this.heard.shift();
    this.telling = this.heard.length ? setTimeout(() => this.#tell()) : 0;
    const place = $("incoming");
    if (!place) return;
    htmx.swap(place, data, { swapStyle: "innerHTML", settleDelay: 0 });
    const said = place.firstElementChild;
    said.remove();
    this.on[type]?.(said);
  }

  #watch() {
    if (!this.wanted || performance.now() - this.heardAt <= SILENCE_MS) return;
    this.heardAt = performance.now();
    this.on.silent();
    this.renew();
  }
}
