// The sentences of the page, and times in words. The texts come with the page; nothing is written here.

const texts = JSON.parse(document.getElementById("texts").textContent);
const locale = document.documentElement.lang;

export function say(key, values = {}) {
  const text = texts[key] ?? "";
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export const has = (key) => key in texts;

// The store's time less this tablet's, so that waiting times are right on a tablet whose clock is not.
let offsetMs = 0;

export function setClock(asOf) {
  const storeMs = Date.parse(asOf);
  if (storeMs > 0) offsetMs = storeMs - Date.now();
}

export function minutesSince(instant) {
  return Math.max(0, Math.floor((Date.now() + offsetMs - Date.parse(instant)) / 60000));
}

export function span(minutes) {
  if (minutes < 1) return say("time.now");
  if (minutes < 60) return minutes === 1 ? say("time.minute") : say("time.minutes", { count: minutes });
  return say("time.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

export function ago(instant) {
  const minutes = minutesSince(instant);
  return minutes < 1 ? say("time.now") : say("time.ago", { time: span(minutes) });
}

export function wait(seconds) {
  return seconds < 60 ? say("time.seconds", { count: seconds }) : span(Math.ceil(seconds / 60));
}

const dates = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
export const date = (instant) => dates.format(new Date(instant));

const lists = new Intl.ListFormat(locale, { type: "conjunction" });
export const listed = (words) => lists.format(words);

export const signName = (one) =>
  one.sign_colour ? `${say(`colour.${one.sign_colour}`) || one.sign_colour} ${one.sign_digits}` : "";
