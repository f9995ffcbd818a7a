// What every page of HQ's web does beyond what the browser does by itself: sheets, times in the reader's own zone,
// sentences in passing. All pages work without it.

const texts = JSON.parse(document.getElementById("words").textContent);
const locale = document.documentElement.lang;

export const $ = (id) => document.getElementById(id);

export function say(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// --- times ---

const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const moment = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function since(instant) {
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(instant)) / 60000));
  if (minutes < 1) return say("now");
  if (minutes < 60) return minutes === 1 ? say("minute") : say("minutes", { count: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return hours === 1 ? say("hour") : say("hours", { count: hours });
  return day.format(new Date(instant));
}

const FORMS = {
  clock: ({ dateTime }) => moment.format(new Date(dateTime)),
  date: ({ dateTime }) => day.format(new Date(dateTime)),
  since: ({ dateTime }) => since(dateTime),
};

export function fill(root, only = "time[data-as]") {
  for (const element of root.querySelectorAll(only)) write(element, FORMS[element.dataset.as](element));
}

fill(document);
setInterval(() => fill(document, "time[data-as=since]"), 20000);
document.addEventListener("htmx:afterSwap", ({ detail }) => fill(detail.target ?? document));

// --- sheets ---

document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[data-sheet]");
  target.closest("[data-closes]")?.closest("dialog").close();
  if (opener) $(opener.dataset.sheet).showModal();
  else if (target.matches("dialog.sheet")) target.close(); // beside it
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && !detail.elt.closest?.("[data-stays]")) detail.elt.closest?.("dialog")?.close();
});

// --- forms ---

// A switch or a choice that holds at once; without a script its form has a button (`.no-script`).
document.addEventListener("change", ({ target }) => {
  if (target.form?.matches("[data-auto]")) target.form.requestSubmit();
});
document.documentElement.classList.add("scripted");

// Twice tapped is once sent.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.matches("[hx-post]")) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// --- sentences in passing ---

const toast = $("toast");
let hide = 0;

function pass() {
  clearTimeout(hide);
  toast.classList.toggle("shown", toast.textContent.trim() !== "");
  if (toast.textContent.trim()) hide = setTimeout(() => toast.replaceChildren(), 6000);
}

new MutationObserver(pass).observe(toast, { childList: true, characterData: true, subtree: true });
pass();
document.addEventListener("htmx:sendError", () => write(toast, say("lost")));
document.addEventListener("htmx:timeout", () => write(toast, say("lost")));
