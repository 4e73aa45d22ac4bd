// What agents were told, said and did: a window of it, which grows upwards on demand.
import { get, path } from "./api.js";
import { clean, h, when } from "./dom.js";

const WINDOW = 100;
const MOST = 2000;
const SPOKEN = /\.(output|incoming)$|^turn\.|^agent\.reminded$/;
const LONG = 2000;

function long(text) {
  if (text.length <= LONG) return h("pre", { class: "said", dir: "auto" }, text);
  const box = h("pre", { class: "said", dir: "auto" }, `${text.slice(0, LONG)}…`);
  const more = h("button", { type: "button", onclick: () => { box.textContent = clean(text); more.remove(); } }, `Show all ${text.length} characters`);
  return [box, more];
}

const plain = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));

// What the provider builtin is told to do is the description of a task, of which a person reads the command.
function order(text) {
  if (!text.startsWith('{"task"')) return text;
  try { return JSON.parse(text).run ?? text; } catch { return text; }
}

function words(event) {
  const { payload, type } = event;
  if (type.endsWith(".incoming")) return { head: `${payload.from ?? "?"} → ${event.agent}`, text: order(payload.text ?? ""), kind: "told" };
  if (type.endsWith(".output")) {
    if (payload.kind === "tool") {
      const text = payload.done ? payload.text : `${payload.name ?? "tool"} ${plain(payload.input) || payload.text || ""}`;
      return { head: `${event.agent} ${payload.done ? "↳" : "⚙"}`, text, kind: "tool" };
    }
    if (["usage", "session", "limit"].includes(payload.kind)) return null;
    return { head: event.agent, text: payload.text ?? "", kind: payload.kind === "error" ? "error" : "text" };
  }
  if (["turn.starting", "turn.queued"].includes(type)) return null;
  const error = plain(payload.error ?? payload.reason);
  return { head: event.agent ?? "", text: `${type.replace(".", " ")}${error ? `: ${error}` : ""}`, kind: "turn" };
}

function line(event) {
  const found = words(event);
  return found && h("li", { class: `line ${found.kind}` },
    h("div", { class: "small" }, found.head, " · ", when(event.at)), long(String(found.text)));
}

export function transcript(root, id) {
  const lines = h("ol", { class: "lines", "aria-label": "Transcript" });
  const who = h("select", { "aria-label": "Agent", onchange: () => begin() });
  const older = h("button", { type: "button", onclick: () => earlier() }, "Earlier");
  root.append(h("div", { class: "row" }, who, older), lines);
  let first = null;
  let last = 0;
  let names = "";
  let busy = false;

  const read = (before) => {
    const query = new URLSearchParams({ limit: String(WINDOW) });
    if (who.value) query.set("agent", who.value);
    if (before) query.set("before", String(before));
    return get(`/workflows${path(id)}/transcript?${query}`);
  };
  const add = (events, above) => {
    const made = events.map(line).filter(Boolean);
    if (above) lines.prepend(...made);
    else lines.append(...made);
    if (events.length) {
      first = first === null || above ? events[0].seq : first;
      last = Math.max(last, events.at(-1).seq);
    }
    older.hidden = events.length < WINDOW && (above || first === events[0]?.seq);
  };
  async function begin() {
    first = null;
    last = 0;
    const events = await read(null);
    lines.replaceChildren();
    add(events, false);
    older.hidden = events.length < WINDOW;
    scrollTo(0, document.body.scrollHeight);
  }
  async function earlier() {
    if (busy) return;
    busy = true;
    const height = document.body.scrollHeight;
    try { add(await read(first), true); } finally { busy = false; }
    scrollBy(0, document.body.scrollHeight - height);
  }
  return {
    begin,
    agents(found) {
      const now = JSON.stringify(found);
      if (now === names) return;
      names = now;
      const chosen = who.value;
      who.replaceChildren(h("option", { value: "" }, "All agents"), ...found.map((name) => h("option", { value: name, selected: name === chosen }, name)));
    },
    heard(events) {
      const mine = events.filter((one) => one.workflow_id === id && one.seq > last && SPOKEN.test(one.type) && (!who.value || one.agent === who.value));
      if (!mine.length) return;
      const low = innerHeight + scrollY > document.body.scrollHeight - 120;
      lines.append(...mine.map(line).filter(Boolean));
      last = mine.at(-1).seq;
      while (lines.children.length > MOST) { lines.firstChild.remove(); older.hidden = true; }
      if (low) scrollTo(0, document.body.scrollHeight);
    },
  };
}
