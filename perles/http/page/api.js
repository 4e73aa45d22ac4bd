// Requests, and the stream of events. The token is kept here and sent in a header, never as a cookie.
export const KEY = "perles-token";

export class Refused extends Error {
  constructor(status, told) {
    super(told?.message ?? `the server said ${status}`);
    this.status = status;
    this.kind = told?.kind;
  }
}

export const token = {
  get: () => localStorage.getItem(KEY),
  set: (text) => localStorage.setItem(KEY, text),
  drop: () => localStorage.removeItem(KEY),
};

const headers = (more = {}) => ({ Authorization: `Bearer ${token.get() ?? ""}`, ...more });

async function answerOf(answer) {
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, body?.error);
  return body;
}

export const get = async (path) =>
  answerOf(await fetch(`/api/v1${path}`, { headers: headers(), cache: "no-store" }));

export const list = (query) =>
  answered(fetch(`/api/v1/workflows?${query}`, { headers: headers(), cache: "no-store" }));

export async function answered(asked) {
  const answer = await asked;
  const more = Number(answer.headers.get("Perles-More") ?? 0);
  return { rows: await answerOf(answer), more };
}

export const post = async (path, body = {}) =>
  answerOf(await fetch(`/api/v1${path}`, {
    method: "POST",
    headers: headers({ "Content-Type": "application/json", "Idempotency-Key": key() }),
    body: JSON.stringify(body),
  }));

const key = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (n) => n.toString(16)).join("");

export const path = (...parts) => parts.map((part) => `/${encodeURIComponent(part)}`).join("");

const SILENT = 40_000; // a ping comes every 15 seconds

// Calls `heard` with a list of events, and `changed` with whether there is a connection, for ever.
export function follow(heard, changed) {
  let last = null;
  let pause = 500;
  const once = async () => {
    const asked = new AbortController();
    let timer = setTimeout(() => asked.abort(), SILENT);
    try {
      const more = last === null ? {} : { "Last-Event-ID": String(last) };
      const answer = await fetch("/api/v1/stream", { headers: headers(more), signal: asked.signal, cache: "no-store" });
      if (!answer.ok) throw new Refused(answer.status, null);
      changed(true);
      pause = 500;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => asked.abort(), SILENT);
        const frames = (rest + value).split("\n\n");
        rest = frames.pop();
        const events = [];
        for (const frame of frames) {
          for (const line of frame.split("\n")) {
            if (line.startsWith("id: ")) last = Number(line.slice(4));
            else if (line.startsWith("data: ")) events.push(JSON.parse(line.slice(6)));
          }
        }
        if (events.length) heard(events);
      }
    } finally {
      clearTimeout(timer);
    }
  };
  const forever = async () => {
    while (token.get()) {
      try {
        await once();
      } catch (error) {
        if (error.status === 401) return changed(false, error);
      }
      changed(false);
      await new Promise((go) => setTimeout(go, pause));
      pause = Math.min(pause * 2, 5000);
    }
  };
  forever();
}
