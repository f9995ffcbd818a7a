// The calls of the tablet API. A problem document becomes a `Problem`; no network becomes one too.

import { say } from "./words.js";

const PREFIX = "urn:consentry:problem:";

export class Problem extends Error {
  constructor(kind, status, document = {}) {
    super(kind);
    this.kind = kind;
    this.status = status;
    this.retryAfterS = document.retry_after_s ?? 0;
    this.attendedBy = document.attended_by ?? "";
  }

  // What to tell the associate when there is nothing better to say.
  get words() {
    if (this.kind === "network" || this.kind === "no-gateway") return say("trouble.network");
    if (this.kind === "busy" || this.kind === "throttled") return say("trouble.busy");
    return say("trouble.other");
  }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      cache: "no-store",
      credentials: "same-origin",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(12000),
    });
  } catch {
    throw new Problem("network", 0);
  }
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({}));
  if (response.ok) return document;
  throw new Problem(String(document.type ?? "").replace(PREFIX, "") || "other", response.status, document);
}

const visit = (handle) => `/visits/${encodeURIComponent(handle)}`;

export const pair = (code, label) => call("POST", "/pairings", { code, label });
export const signIn = (associate, pin) => call("POST", "/sessions", { associate, pin });
export const signOut = () => call("DELETE", "/sessions/current");
export const session = () => call("GET", "/sessions/current");
export const acknowledge = (version) => call("POST", "/floor/acks", { version });
export const card = (handle) => call("GET", visit(handle));
export const section = (handle, name) => call("GET", `${visit(handle)}?section=${encodeURIComponent(name)}`);
export const attend = (handle, action) => call("POST", `${visit(handle)}/attendance`, { action });
export const withdraw = (handle, scope) => call("POST", `${visit(handle)}/withdrawals`, { scope });
