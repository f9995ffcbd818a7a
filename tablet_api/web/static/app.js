// Which screen is shown, and what the stream does to it. All that the page knows is in memory, and is let go when hidden.

import * as api from "./api.js";
import { Card } from "./card.js";
import { $, toast, write } from "./dom.js";
import { Floor } from "./floor.js";
import { clearPin, codeFromAddress, pairWith, startPairing, startSigningIn } from "./gate.js";
import { Lease } from "./lease.js";
import { Stream } from "./stream.js";
import { clockTime, has, say, setClock } from "./words.js";

const SCREENS = ["pair", "signin", "calm", "floor"];
let wanted = null; // the handle whose card is to be open again when the page is back
let signedIn = false;
let goingBack = false;

const lease = new Lease();
const floor = new Floor((handle) => openCard(handle));
const card = new Card({ closed: cardClosed, refused: refused });
const stream = new Stream({ roster, change, card: cardChanged, dark, silent, refused: () => checkSession() });

function show(name) {
  for (const screen of SCREENS) $(`screen-${screen}`).hidden = screen !== name;
  $("bar").hidden = name === "pair" || name === "signin" || !signedIn;
  $("lease").hidden = name !== "floor";
  if (name !== "floor") lease.drop();
  document.body.dataset.screen = name;
}

function calm(sign, title, text, more = "") {
  $("calm-sign").setAttribute("href", `#icon-${sign}`);
  write($("calm-title"), title);
  write($("calm-text"), text);
  write($("calm-more"), more);
  show("calm");
}

// Takes every person off the page.
function blank() {
  card.close();
  floor.clear();
}

// --- who is signed in ---

async function begin() {
  const code = codeFromAddress();
  if (code !== null) {
    askToPair();
    $("pair-code").value = code;
    await pairWith(code, "", askToSignIn);
    return;
  }
  await checkSession();
}

async function checkSession() {
  try {
    enter(await api.session());
  } catch (problem) {
    if (problem.status === 401) refused(problem);
    else if (!signedIn) {
      // Not even known who is signed in: wait for the gateway.
      if (problem.kind === "no-gateway") calm("moon", say("dark.title"), say("dark.no-gateway"), say("dark.comes_back"));
      else calm("again", say("again.title"), say("again.text"));
      setTimeout(() => !signedIn && !document.hidden && checkSession(), 2000);
    }
  }
}

function refused(problem) {
  stream.close();
  blank();
  const left = signedIn;
  signedIn = false;
  // In the demo the page itself signs in; once, so that a demo that has ended is told as what it is.
  if (left && "demo" in document.documentElement.dataset) return location.reload();
  if (problem.kind === "unpaired") askToPair();
  else askToSignIn();
}

function askToPair() {
  show("pair");
  $("pair-code").focus();
}

function askToSignIn() {
  clearPin();
  show("signin");
  if (!$("signin-name").value) $("signin-name").focus();
}

function enter(view) {
  write($("store"), view.store_label);
  write($("who"), view.name);
  if (signedIn) return;
  signedIn = true;
  stream.open();
}

async function leave() {
  stream.close();
  blank();
  signedIn = false;
  wanted = null;
  $("signin-name").value = "";
  askToSignIn();
  try {
    await api.signOut();
  } catch (problem) {
    if (problem.status !== 401) toast(problem.words);
  }
}

// --- what the stream says ---

function painted(version) {
  // Two frames later it is on the glass.
  requestAnimationFrame(() => requestAnimationFrame(() => api.acknowledge(version).catch(() => {})));
}

function roster(body) {
  setClock(body.as_of);
  if ($("screen-floor").hidden) show("floor");
  lease.hold(body.lease);
  floor.replace(body.visits, body.radios);
  const open = card.handle ?? wanted;
  wanted = null;
  if (open !== null && floor.visits.has(open)) openCard(open);
  else card.close();
  painted(body.version);
}

function change(body) {
  setClock(body.as_of);
  lease.hold(body.lease);
  if (card.handle !== null && body.gone.includes(card.handle)) card.close();
  floor.change(body);
  if (card.handle !== null && body.visits.some((visit) => visit.handle === card.handle)) card.refresh();
  painted(body.version);
}

function cardChanged(body) {
  if (body.handle === card.handle) card.refresh();
}

function dark(body) {
  wanted = null;
  blank();
  const { light, reason, last_word } = body.lease;
  if (last_word) setClock(body.as_of);
  const locked = light === "locked" && reason === "starting";
  const key = locked ? "dark.locked" : has(`dark.${reason}`) ? `dark.${reason}` : "dark.none";
  const time = last_word ? clockTime(last_word) : "";
  const text = time || !has(`${key}_yet`) ? say(key, { time }) : say(`${key}_yet`);
  const comes = has(`${key}_more`) ? say(`${key}_more`) : say("dark.comes_back");
  const word = time && !say(key).includes("{time}") ? say("dark.last_word", { time }) : "";
  calm(locked ? "lock" : "moon", say(locked ? "dark.title_locked" : "dark.title"), text, [word, comes].filter(Boolean).join(" "));
  if (body.version !== "0") painted(body.version);
}

function silent() {
  wanted = card.handle ?? wanted;
  blank();
  calm("again", say("again.title"), say("again.text"));
}

// --- the card; on a phone it is a page of its own, with the browser's back ---

function openCard(handle) {
  floor.select(handle);
  if (document.body.dataset.view !== "card") {
    document.body.dataset.view = "card";
    history.pushState({ card: true }, "", "/#card");
  }
  card.open(handle);
}

function cardClosed() {
  const handle = floor.chosen;
  delete document.body.dataset.view;
  floor.select(null);
  if (handle !== null) floor.focus(handle);
  if (history.state?.card) {
    goingBack = true; // what comes of it is not the associate's wish to close a card
    history.back();
  }
}

window.addEventListener("popstate", () => {
  if (goingBack) goingBack = false;
  else card.close();
});
$("card-back").addEventListener("click", () => card.close());
$("sign-out").addEventListener("click", leave);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("stop").open) card.close();
});

// --- hidden: nothing stays on the page, and nothing comes ---

function hidden() {
  if (!signedIn) return clearPin();
  wanted = card.handle ?? wanted;
  stream.close();
  blank();
  show("none");
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hidden();
  else if (signedIn) stream.open();
  else if (!document.body.dataset.screen || document.body.dataset.screen === "calm") checkSession();
});
window.addEventListener("pagehide", hidden);
window.addEventListener("pageshow", (event) => event.persisted && signedIn && stream.open());

startPairing(askToSignIn);
startSigningIn((view) => (view === null ? askToPair() : enter(view)));
if (history.state?.card) history.replaceState(null, "", "/");
begin();
