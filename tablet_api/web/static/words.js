// The few words that the page says between two words of the store's box: times, above all.

const texts = JSON.parse(document.getElementById("words").textContent);
const locale = document.documentElement.lang;

export const $ = (id) => document.getElementById(id);

const plurals = new Intl.PluralRules(locale);

// Of a sentence with a count the form that the language has for it.
export function say(key, values = {}) {
  const form = "count" in values ? `${key}-${plurals.select(values.count)}` : key;
  return (texts[form] ?? texts[key]).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// Writes only what differs, so that a screen reader or a selection is not disturbed.
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// The store's time less this tablet's, so that waiting times are right on a tablet whose clock is not.
let offsetMs = 0;

export function setClock(asOf) {
  const storeMs = Date.parse(asOf);
  if (storeMs > 0) offsetMs = storeMs - Date.now();
}

const minutesSince = (instant) => Math.max(0, Math.floor((Date.now() + offsetMs - Date.parse(instant)) / 60000));

function span(minutes) {
  if (minutes < 1) return say("now");
  if (minutes < 60) return minutes === 1 ? say("minute") : say("minutes", { count: minutes });
  return say("hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

export const wait = (seconds) => (seconds < 60 ? say("seconds", { count: seconds }) : span(Math.ceil(seconds / 60)));

const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockAndDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dates = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });

// 1:05, and 1:02:05 from an hour on.
export function countdown(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// How an element of the store's box with `data-as` is written here, in this tablet's time zone and as time goes on.
const FORMS = {
  // 14:02; with the day where that was not in the last twelve hours.
  clock: ({ dateTime }) => (minutesSince(dateTime) < 720 ? clock : clockAndDay).format(new Date(dateTime)),
  date: ({ dateTime }) => dates.format(new Date(dateTime)),
  since: ({ dateTime }) => span(minutesSince(dateTime)),
  waiting: ({ dateTime, dataset }) => {
    const minutes = minutesSince(dateTime);
    return minutes < 1 ? dataset.now : dataset.text.replace("{time}", span(minutes));
  },
  wait: ({ dataset }) => wait(Number(dataset.seconds)),
};

export function fill(root, only = "[data-as]") {
  for (const element of root.querySelectorAll(only)) write(element, FORMS[element.dataset.as](element));
}

setInterval(() => fill(document, "[data-as=since], [data-as=waiting]"), 5000);

let hide = 0;

// A word in passing: whoever writes into #toast, it is seen for a moment.
export const toast = (text) => write($("toast"), text);

new MutationObserver(() => {
  const element = $("toast");
  clearTimeout(hide);
  element.classList.toggle("shown", element.textContent.trim() !== "");
  if (element.textContent) hide = setTimeout(() => element.replaceChildren(), 4500);
}).observe($("toast"), { childList: true, characterData: true, subtree: true });
