// Pairing and signing in.

import * as api from "./api.js";
import { $, write } from "./dom.js";
import { say, wait } from "./words.js";

const MOST_DIGITS = 12;

// --- pairing ---

// A QR code leads to /#pair=CODE: what stands behind # is never sent to a server, and is taken away at once.
export function codeFromAddress() {
  const code = new URLSearchParams(location.hash.slice(1)).get("pair");
  if (code !== null) history.replaceState(null, "", "/");
  return code;
}

const tidy = (code) => code.replace(/[\s-]/g, "").toUpperCase();

export async function pairWith(code, label, done) {
  write($("pair-wrong"), "");
  if (!tidy(code)) return $("pair-code").focus();
  $("pair-submit").disabled = true;
  try {
    await api.pair(tidy(code), label.trim());
    $("pair-form").reset();
    done();
  } catch (problem) {
    const words = { wrong: say("pair.wrong"), malformed: say("pair.wrong"), throttled: throttled(problem) };
    write($("pair-wrong"), words[problem.kind] ?? problem.words);
    $("pair-code").select();
  } finally {
    $("pair-submit").disabled = false;
  }
}

const throttled = (problem) => say("signin.throttled", { wait: wait(problem.retryAfterS || 30) });

export function startPairing(done) {
  $("pair-form").addEventListener("submit", (event) => {
    event.preventDefault();
    pairWith($("pair-code").value, $("pair-label").value, done);
  });
}

// --- signing in ---

let digits = "";

function showDigits() {
  const dots = $("pin-dots");
  while (dots.children.length > digits.length) dots.lastElementChild.remove();
  while (dots.children.length < digits.length) dots.append(document.createElement("i"));
  write($("pin-told"), digits ? say("signin.pin_entered", { count: digits.length }) : "");
}

export function clearPin() {
  digits = "";
  showDigits();
}

function press(key) {
  write($("signin-wrong"), "");
  if (key === "erase") digits = digits.slice(0, -1);
  else if (digits.length < MOST_DIGITS) digits += key;
  showDigits();
}

export function startSigningIn(done) {
  $("keypad").addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key) press(key);
  });
  // A keyboard serves as well, wherever the focus is but in the name.
  document.addEventListener("keydown", (event) => {
    if ($("screen-signin").hidden || event.target === $("signin-name") || event.ctrlKey || event.metaKey) return;
    if (/^[0-9]$/.test(event.key)) press(event.key);
    else if (event.key === "Backspace") press("erase");
    else if (event.key === "Enter" && event.target.tagName !== "BUTTON") $("signin-form").requestSubmit();
    else return;
    event.preventDefault();
  });
  $("signin-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = $("signin-name").value.trim();
    if (!name) return $("signin-name").focus();
    if (!digits) return;
    $("signin-submit").disabled = true;
    try {
      const view = await api.signIn(name, digits);
      write($("signin-wrong"), "");
      done(view);
    } catch (problem) {
      if (problem.kind === "unpaired") return done(null);
      const words = { wrong: say("signin.wrong"), malformed: say("signin.wrong"), throttled: throttled(problem) };
      write($("signin-wrong"), words[problem.kind] ?? problem.words);
    } finally {
      clearPin();
      $("signin-submit").disabled = false;
    }
  });
}
