// The card of one visit: three facts, more on request, why each is shown, and how to stop it.

import * as api from "./api.js";
import { $, arrange, clone, make, paintSign, toast, write } from "./dom.js";
import { zoneOf } from "./floor.js";
import { date, minutesSince, say, signName, span } from "./words.js";

export class Card {
  // `closed` is called when the card is not shown any more; `refused` with a problem that is not about this card.
  constructor({ closed, refused }) {
    this.closed = closed;
    this.refused = refused;
    this.handle = null;
    this.shown = null;
    this.lines = new Map(); // "lead/size.shoe" → element
    this.sections = new Map(); // name → {element, lines, open}
    this.asking = false;
    this.askAgain = false;
    $("card-attend").addEventListener("click", () => this.#act("attending"));
    $("card-done").addEventListener("click", () => this.#act("done"));
    $("card-stop").addEventListener("click", () => this.#offerStop());
    $("stop-cancel").addEventListener("click", () => $("stop").close());
    $("stop").addEventListener("click", (event) => event.target === $("stop") && $("stop").close());
    setInterval(() => this.shown && this.#when(), 5000);
  }

  async open(handle) {
    if (this.handle !== handle) this.#forget();
    this.handle = handle;
    await this.refresh();
  }

  close() {
    if (this.handle === null) return;
    this.#forget();
    this.handle = null;
    this.closed();
  }

  // Takes everything off the page, as if it had never been there.
  #forget() {
    this.shown = null;
    this.lines.clear();
    this.sections.clear();
    $("stop").close();
    for (const id of ["card-lead", "card-sections", "stop-choices"]) $(id).replaceChildren();
    for (const id of ["card-title", "card-where", "card-when", "card-sign"]) write($(id), "");
    $("card").hidden = true;
    $("pick").hidden = false;
  }

  // One question under way at a time; what changes meanwhile is asked once more.
  async refresh() {
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    this.asking = true;
    const handle = this.handle;
    try {
      const card = await api.card(handle);
      if (this.handle === handle) this.#show(card);
      for (const [name, section] of this.sections) {
        if (section.open && this.handle === handle) await this.#load(name, section);
      }
    } catch (problem) {
      this.#trouble(handle, problem);
    } finally {
      this.asking = false;
      if (this.askAgain && this.handle !== null) {
        this.askAgain = false;
        this.refresh();
      }
    }
  }

  #trouble(handle, problem) {
    if (problem.status === 404) {
      if (this.handle === handle) this.close();
    } else if (problem.status === 401) this.refused(problem);
    else if (!this.shown && this.handle === handle) {
      toast(problem.words);
      this.close();
    }
  }

  // --- showing ---

  #show(card) {
    const first = this.shown === null;
    this.shown = card;
    $("pick").hidden = true;
    $("card").hidden = false;
    paintSign($("card-sign"), card);
    const named = signName(card);
    write($("card-title"), card.name || named || zoneOf(card));
    write($("card-where"), [card.name ? named : "", card.name || named ? zoneOf(card) : ""].filter(Boolean).join(" · "));
    this.#when();
    this.#paintLines($("card-lead"), "lead", card.lead);
    $("card-lead-part").hidden = card.lead.length === 0;
    $("card-nothing").hidden = card.lead.length + card.sections.length > 0;
    this.#paintSections(card.sections);
    $("card-attend").hidden = !card.help || Boolean(card.attended_by);
    $("card-done").hidden = !card.attended_by_me;
    if ($("stop").open) this.#paintChoices();
    if (first) {
      $("pane").scrollTop = 0;
      $("card").focus({ preventScroll: true });
    }
  }

  #when() {
    const card = this.shown;
    let text = say("card.here");
    if (card.attended_by_me) text = say("floor.helping_me");
    else if (card.attended_by) text = say("floor.helping", { name: card.attended_by });
    else if (card.help) {
      const minutes = minutesSince(card.waiting_since ?? card.as_of);
      text = minutes < 1 ? say("card.waiting_now") : say("card.waiting", { time: span(minutes) });
    }
    write($("card-when"), text);
  }

  // `heading` stands above the lines already; a line of the same label does not say it again.
  #paintLines(list, place, lines, heading = "") {
    const elements = lines.map((line) => {
      const key = `${place}/${line.scope}`;
      let element = this.lines.get(key);
      if (!element) {
        element = clone("line");
        const [, , why, because] = element.children;
        why.addEventListener("click", () => {
          because.hidden = !because.hidden;
          why.setAttribute("aria-expanded", String(!because.hidden));
        });
        this.lines.set(key, element);
      }
      this.#paintLine(element, line);
      element.firstElementChild.hidden = line.label === heading;
      return element;
    });
    const kept = new Set(elements);
    for (const [key, element] of this.lines) {
      if (key.startsWith(`${place}/`) && !kept.has(element)) this.lines.delete(key);
    }
    arrange(list, elements);
  }

  #paintLine(element, line) {
    const [label, value, , because] = element.children;
    write(label, line.label);
    if (line.entries.length) {
      const list = make("ul", "entries");
      for (const entry of line.entries) {
        const item = make("li", entry.returned ? "returned" : "", entry.text);
        const quantity = entry.quantity !== null && entry.quantity !== 1 ? say("card.quantity", { count: entry.quantity }) : "";
        const notes = [quantity, entry.returned ? say("card.returned") : "", entry.at ? date(entry.at) : ""];
        const note = notes.filter(Boolean).join(" · ");
        if (note) item.append(make("span", "note", note));
        list.append(item);
      }
      value.replaceChildren(list);
    } else write(value, line.text ?? "");
    const { purpose_label, since, until } = line.why;
    because.replaceChildren(
      make("span", "purpose", say("card.why_purpose", { purpose: purpose_label })),
      make("span", "", `${say("card.why_since", { date: date(since) })}, ${say("card.why_until", { date: date(until) })}`),
    );
  }

  #paintSections(names) {
    for (const name of this.sections.keys()) if (!names.includes(name)) this.sections.delete(name);
    const elements = names.map((name) => {
      if (!this.sections.has(name)) this.#addSection(name);
      return this.sections.get(name).element;
    });
    arrange($("card-sections"), elements);
    $("card-more-part").hidden = names.length === 0;
  }

  #addSection(name) {
    const element = clone("section");
    const [head, list] = element.children;
    const section = { element, list, open: false, lines: [] };
    write(head.firstElementChild, say(`section.${name}`) || name);
    head.addEventListener("click", async () => {
      section.open = !section.open;
      head.setAttribute("aria-expanded", String(section.open));
      list.hidden = !section.open;
      if (section.open) {
        const handle = this.handle;
        await this.#load(name, section).catch((problem) => this.#trouble(handle, problem));
      }
    });
    this.sections.set(name, section);
  }

  async #load(name, section) {
    const handle = this.handle;
    const card = await api.section(handle, name);
    if (this.handle !== handle || this.sections.get(name) !== section) return;
    section.lines = card.lines;
    this.#paintLines(section.list, name, card.lines, say(`section.${name}`));
  }

  // --- acting ---

  async #act(action) {
    const handle = this.handle;
    try {
      await api.attend(handle, action);
    } catch (problem) {
      if (problem.kind === "taken") toast(say("card.taken", { name: problem.attendedBy }));
      else if (problem.status === 404 || problem.status === 401) return this.#trouble(handle, problem);
      else toast(problem.words);
    }
    if (this.handle === handle) this.refresh();
  }

  // --- stop sharing: everything, or one line that is on the page ---

  #visibleLines() {
    const lines = new Map(this.shown.lead.map((line) => [line.scope, line.label]));
    for (const section of this.sections.values()) for (const line of section.lines) lines.set(line.scope, line.label);
    return lines;
  }

  #offerStop() {
    this.#paintChoices();
    $("stop").showModal();
    $("stop-cancel").focus();
  }

  #paintChoices() {
    const everything = make("button", "choice all");
    everything.append(make("span", "", say("stop.everything")), make("span", "note", say("stop.everything_text")));
    everything.addEventListener("click", () => this.#stop(null));
    const choices = [everything];
    for (const [scope, label] of this.#visibleLines()) {
      const choice = make("button", "choice");
      choice.append(make("span", "", label), make("span", "note", say("stop.one")));
      choice.addEventListener("click", () => this.#stop(scope));
      choices.push(choice);
    }
    for (const choice of choices) choice.type = "button";
    $("stop-choices").replaceChildren(...choices);
  }

  async #stop(scope) {
    const handle = this.handle;
    for (const choice of $("stop-choices").children) choice.disabled = true;
    try {
      await api.withdraw(handle, scope);
    } catch (problem) {
      if (problem.status !== 404) {
        for (const choice of $("stop-choices").children) choice.disabled = false;
        if (problem.status === 401) this.refused(problem);
        else toast(problem.words);
        return;
      }
    }
    $("stop").close();
    toast(scope === null ? say("stop.done_all") : say("stop.done"));
    if (this.handle !== handle) return;
    if (scope === null) this.close();
    else this.refresh();
  }
}
