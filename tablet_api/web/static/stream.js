// The events of the floor. Who hears nothing for 12 seconds shows nothing.

const SILENCE_MS = 12000;
const AGAIN_MS = 1500;

export class Stream {
  // `on` has roster, change, card, dark (each called with the event's body), silent and refused.
  constructor(on) {
    this.on = on;
    this.source = null;
    this.heardAt = 0;
    this.timer = 0;
    this.again = 0;
  }

  open() {
    this.close();
    this.heardAt = performance.now();
    this.timer = setInterval(() => this.#watch(), 1000);
    this.#connect();
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  }

  #connect() {
    const source = new EventSource("/api/v1/floor/events");
    this.source = source;
    for (const name of ["roster", "change", "card", "dark", "beat"]) {
      source.addEventListener(name, (event) => {
        if (this.source !== source) return;
        this.heardAt = performance.now();
        this.on[name]?.(JSON.parse(event.data));
      });
    }
    source.addEventListener("error", () => {
      if (this.source !== source) return;
      // The browser would try again by itself, but not after a refusal; and the reason is wanted at once.
      source.close();
      this.on.refused();
      clearTimeout(this.again);
      this.again = setTimeout(() => this.#connect(), AGAIN_MS * (0.5 + Math.random()));
    });
  }

  #watch() {
    if (performance.now() - this.heardAt <= SILENCE_MS) return;
    this.heardAt = performance.now();
    this.on.silent();
    this.source?.close();
    clearTimeout(this.again);
    this.#connect();
  }
}
