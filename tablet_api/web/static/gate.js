// Pairing by a link, and the keypad of every form that asks for digits.

import { $, say, write } from "./words.js";

const MOST_DIGITS = 12;

// A QR code leads to /#pair=CODE: what stands behind # is never sent to a server, and is taken away at once.
export function codeFromAddress() {
  const code = new URLSearchParams(location.hash.slice(1)).get("pair");
  if (code !== null) history.replaceState(null, "", "/");
  return code;
}

export const pairWith = (code) => htmx.ajax("POST", "/pair", { target: "#screen", values: { code } }).catch(() => {});

function showDigits() {
  const dots = $("pin-dots");
  if (!dots) return;
  const count = $("pin").value.length;
  while (dots.children.length > count) dots.lastElementChild.remove();
  while (dots.children.length < count) dots.append(document.createElement("i"));
  write($("pin-told"), count ? say("digits", { count }) : "");
}

export function clearPin() {
  if ($("pin")) $("pin").value = "";
  showDigits();
}

function press(key) {
  const pin = $("pin");
  write(pin.form.querySelector(".wrong"), "");
  if (key === "erase") pin.value = pin.value.slice(0, -1);
  else if (pin.value.length < MOST_DIGITS) pin.value += key;
  showDigits();
}

document.addEventListener("click", ({ target }) => {
  const key = target.closest("#keypad [data-key]");
  if (key) press(key.dataset.key);
});

// A keyboard serves as well, wherever the focus is but in another field.
document.addEventListener("keydown", (event) => {
  const pin = $("pin");
  if (!pin || event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey) return;
  if (/^[0-9]$/.test(event.key)) press(event.key);
  else if (event.key === "Backspace") press("erase");
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") pin.form.requestSubmit();
  else return;
  event.preventDefault();
});

// Without digits, or a field that is required, nothing is sent.
document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt } = event.detail;
  if (elt.tagName !== "FORM") return;
  const empty = [...elt.elements].find((one) => one.required && !one.value.trim());
  if (!empty && !(elt.contains($("pin")) && !$("pin").value)) return;
  event.preventDefault();
  empty?.focus();
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target?.id !== "screen") return;
  clearPin();
  if (detail.requestConfig.path === "/pair" && detail.xhr.status !== 200) $("pair-code")?.select();
});
