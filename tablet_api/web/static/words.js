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

export function wait(seconds) {
  return seconds < 60 ? say("time.seconds", { count: seconds }) : span(Math.ceil(seconds / 60));
}

const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockAndDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

// 14:02; with the day where that was not in the last twelve hours.
export function clockTime(instant) {
  return (minutesSince(instant) < 720 ? clock : clockAndDay).format(new Date(instant));
}

// 1:05, and 1:02:05 from an hour on.
export function countdown(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const dates = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
export const date = (instant) => dates.format(new Date(instant));

const lists = new Intl.ListFormat(locale, { type: "conjunction" });
export const listed = (words) => lists.format(words);

export const signName = (one) =>
  one.sign_colour ? `${say(`colour.${one.sign_colour}`) || one.sign_colour} ${one.sign_digits}` : "";
