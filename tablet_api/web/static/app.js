// What the stream and the tablet do to the page. All that it knows is in memory, and is let go when it is hidden.

import { Card } from "./card.js";
import "./codes.js";
import { Floor, rowsOf } from "./floor.js";
import { clearPin, codeFromAddress, pairWith } from "./gate.js";
import { acknowledge, afterPicture, chime, maySleep, stayAwake } from "./glass.js";
import { Lease } from "./lease.js";
import "./sheet.js";
import { Stream } from "./stream.js";
import { $, fill, say, setClock, toast, write } from "./words.js";

let wanted = null; // the handle whose card is to be open again when the page is back
let associate = null; // for whom: somebody else who signs in does not get it
let goingBack = false;
let touchedAt = performance.now();

const lease = new Lease();
const floor = new Floor((handle) => openCard(handle));
const card = new Card({ closed: cardClosed });
const stream = new Stream({ roster, change, card: cardChanged, dark, silent });

// One of the floor's two faces, or none of them.
function face(name) {
  $("floor").hidden = name !== "floor";
  $("screen-calm").hidden = name !== "calm";
  if (name !== "floor") lease.drop();
  document.body.dataset.face = name;
}

function calm(...elements) {
  $("screen-calm").replaceChildren(...elements);
  fill($("screen-calm"));
  face("calm");
}

// Takes every person off the page.
function blank() {
  card.close();
  floor.clear();
  performance.clearResourceTimings(); // the browser's own list of what was fetched: addresses with handles
}

// --- screens come and go ---

function screenChanged() {
  if ($("floor")) {
    if (associate !== $("floor").dataset.associate) wanted = null;
    associate = $("floor").dataset.associate;
    touchedAt = performance.now();
    face("none");
    stream.begin();
    stayAwake();
  } else {
    stream.close();
    floor.forget();
    lease.drop();
    maySleep();
    delete document.body.dataset.face;
  }
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "screen" || !detail.shouldSwap || !$("floor")) return;
  wanted = card.handle ?? wanted;
  stream.close();
  blank();
  // In the demo the page itself signs in; once, so that a demo that has ended is told as what it is.
  if (detail.xhr.status === 401 && "demo" in document.documentElement.dataset) location.reload();
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (!detail.target) return; // an event of the stream
  fill(detail.target);
  if (detail.target.id === "screen") screenChanged();
});
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  if (detail.requestConfig.path !== "/sign-out") return;
  stream.close();
  blank();
  face("none");
  wanted = null;
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, ({ detail }) => {
    const { path } = detail.requestConfig;
    // Signing out is not given up, nor is a page that does not know yet who is there.
    if (path === "/sign-out" || path === "/screen") {
      if ($("floor")) calm($("again").content.cloneNode(true));
      setTimeout(() => htmx.ajax(detail.requestConfig.verb, path, { target: "#screen" }).catch(() => {}), 1500);
    } else if (path !== "/floor/line") toast(say("network"));
  });
}

// A question that was given up is told by the events above; htmx also refuses its promise, with nothing, which nobody holds.
window.addEventListener("unhandledrejection", (event) => event.reason === undefined && event.preventDefault());

// --- what the stream says ---

function held(said) {
  const { asOf, leftS, lengthS } = said.dataset;
  setClock(asOf);
  if (document.body.dataset.face !== "floor") {
    face("floor");
    $("screen-calm").replaceChildren();
  }
  fill(said.children[1]);
  lease.hold(Number(leftS), Number(lengthS), said.children[1].textContent);
}

function roster(said) {
  held(said);
  const arrived = floor.replace(said, () => acknowledge(said.dataset.version, true));
  const open = card.handle ?? wanted;
  wanted = null;
  if (open !== null && floor.visits.has(open)) openCard(open);
  else card.close();
  announce(arrived);
}

function announce(arrived) {
  if (arrived.length === 0) return;
  write($("announce"), arrived[0].dataset.help);
  chime();
}

function change(said) {
  held(said);
  const changed = rowsOf(said).map((row) => row.dataset.handle);
  const arrived = floor.change(said, () => acknowledge(said.dataset.version, said.dataset.gone !== ""));
  if (card.handle !== null) {
    if (!floor.visits.has(card.handle)) card.close();
    else if (changed.includes(card.handle)) card.change();
  }
  announce(arrived);
}

function cardChanged(said) {
  if (said.dataset.handle === card.handle) card.change();
}

function dark(said) {
  wanted = null;
  blank();
  setClock(said.dataset.asOf);
  calm(...said.firstElementChild.childNodes);
  if (said.dataset.version !== "0") acknowledge(said.dataset.version, true);
}

function silent() {
  wanted = card.handle ?? wanted;
  blank();
  calm($("again").content.cloneNode(true));
}

// --- the card; on a phone it is a page of its own, with the browser's back ---

function openCard(handle) {
  floor.select(handle);
  document.body.dataset.view = "card";
  card.open(handle);
  afterPicture(() => "view" in document.body.dataset && !history.state?.card && history.pushState({ card: true }, "", "/#card"));
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
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) card.close();
});

// --- idle: a card that refreshes itself must not keep a tablet open that nobody touches ---

for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => (touchedAt = performance.now()), true);
setInterval(() => {
  const idleS = Number($("floor")?.dataset.idleS);
  if (!document.hidden && performance.now() - touchedAt > idleS * 1000) {
    touchedAt = performance.now();
    htmx.ajax("POST", "/lock", { target: "#screen" }).catch(() => {});
  }
}, 1000);

// --- hidden: nothing stays on the page, and nothing comes ---

function hidden() {
  clearPin();
  if (!$("floor")) return;
  wanted = card.handle ?? wanted;
  stream.close();
  blank();
  face("none");
}

function visible() {
  if (!$("floor")) return;
  stream.begin();
  stream.renew();
  stayAwake();
}

document.addEventListener("visibilitychange", () => (document.hidden ? hidden() : visible()));
window.addEventListener("pagehide", hidden);
window.addEventListener("pageshow", (event) => event.persisted && visible());

function begin() {
  const code = codeFromAddress();
  if (code !== null) pairWith(code);
}

performance.setResourceTimingBufferSize(40); // what loads the page, hardly more
sessionStorage.clear(); // htmx notes the page's path there, and nothing else
window.addEventListener("hashchange", begin);
if (history.state?.card) history.replaceState(null, "", "/");
fill(document);
if ($("floor")) screenChanged();
begin();
