// The tablet itself: what is on its glass, that it stays awake, and the quiet sound of a new call for help.

// --- what is on the glass; told at once where something went, else now and then, and never twice at a time ---

const NOW_AND_THEN_MS = 2000;
let newest = null; // painted, and not told yet
let telling = false;
let later = 0;

// Two frames later it is on the glass.
export function acknowledge(version, atOnce) {
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      newest = version;
      if (atOnce) tell();
      else if (!later) later = setTimeout(tell, NOW_AND_THEN_MS);
    }),
  );
}

async function tell() {
  clearTimeout(later);
  later = 0;
  if (telling || newest === null) return;
  const version = newest;
  newest = null;
  telling = true;
  await fetch("/api/v1/floor/acks", {
    method: "POST",
    cache: "no-store",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ version }),
  }).catch(() => {});
  telling = false;
  if (newest !== null) tell();
}

// --- awake while the floor is open; a browser lets go of it whenever the page is hidden ---

let lock = null;

export async function stayAwake() {
  if (!("wakeLock" in navigator) || document.hidden || (lock && !lock.released)) return;
  try {
    lock = await navigator.wakeLock.request("screen");
  } catch {
    lock = null; // the battery is low, or the browser does not want to: then the tablet sleeps as it always did
  }
}

export function maySleep() {
  lock?.release().catch(() => {});
  lock = null;
}

// --- the sound; browsers allow none before the first tap ---

let audio = null;

function unlock() {
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume().catch(() => {});
}

// A little after the tap, so that its answer does not wait for it.
for (const name of ["pointerup", "keydown"]) document.addEventListener(name, () => setTimeout(unlock, 200), { passive: true });

// Two soft notes, the second higher; a third of a second, and nothing where the tablet is to be silent.
export function chime() {
  if (!("sound" in document.documentElement.dataset) || audio?.state !== "running") return;
  for (const [at, pitch] of [[0, 659.25], [0.14, 880]]) {
    const [tone, gain, begin] = [audio.createOscillator(), audio.createGain(), audio.currentTime + at];
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(0.08, begin + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, begin + 0.3);
    tone.connect(gain).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + 0.32);
  }
}

document.addEventListener("change", ({ target }) => {
  if (target.id !== "sound") return;
  document.documentElement.toggleAttribute("data-sound", target.checked);
  chime();
  htmx.ajax("POST", "/choices", { swap: "none", values: { sound: target.checked ? "on" : "off" } });
});
