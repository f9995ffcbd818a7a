// The tablet itself: what is on its glass, that it stays awake, and the quiet sound of a new call for help.

// For what a tap is not to wait for: done when the next picture is on the glass.
export const afterPicture = (done) => requestAnimationFrame(() => setTimeout(done));

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

// An element, as the graph of an AudioContext takes a slow tablet a sixth of a second to set up, in one piece.
const RATE = 16000; // samples a second
let audio = null;

// Two soft notes, the second higher; half a second, as a file of its own that needs no request.
function notes() {
  const samples = new Int16Array(0.48 * RATE);
  for (const [at, pitch] of [[0, 659.25], [0.14, 880]]) {
    for (let n = 0; n < 0.3 * RATE; n += 1) {
      const s = n / RATE;
      const loud = 0.08 * Math.min(s / 0.02, 1) * Math.exp(-22 * Math.max(0, s - 0.02));
      samples[at * RATE + n] += 32767 * loud * Math.sin(2 * Math.PI * pitch * s);
    }
  }
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, letters) => [...letters].forEach((one, n) => head.setUint8(at + n, one.charCodeAt(0)));
  for (const [at, letters] of [[0, "RIFF"], [8, "WAVEfmt "], [36, "data"]]) text(at, letters);
  for (const [at, bytes] of [[4, 36 + samples.byteLength], [16, 16], [24, RATE], [28, 2 * RATE], [40, samples.byteLength]]) head.setUint32(at, bytes, true);
  for (const [at, number] of [[20, 1], [22, 1], [32, 2], [34, 16]]) head.setUint16(at, number, true); // plain, one channel, 16 bit
  return new Blob([head, samples], { type: "audio/wav" });
}

// Played once without a sound by a tap, it may sound later by itself.
function unlock() {
  if (audio) return;
  audio = new Audio(URL.createObjectURL(notes()));
  audio.muted = true;
  const unlocked = () => {
    audio.pause();
    audio.muted = false;
  };
  audio.play().then(unlocked, () => (audio = null)); // not allowed yet: the next tap tries again
}

// A little after the tap, so that its answer does not wait for it.
for (const name of ["pointerup", "keydown"]) document.addEventListener(name, () => setTimeout(unlock, 200), { passive: true });

// Nothing where the tablet is to be silent.
export function chime() {
  if (!("sound" in document.documentElement.dataset) || !audio || audio.muted) return;
  audio.currentTime = 0;
  audio.play().catch(() => {});
}

document.addEventListener("change", ({ target }) => {
  if (target.id !== "sound") return;
  document.documentElement.toggleAttribute("data-sound", target.checked);
  chime();
  htmx.ajax("POST", "/choices", { swap: "none", values: { sound: target.checked ? "on" : "off" } });
});
