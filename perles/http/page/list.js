import { answered, list as read } from "./api.js";
import { badge, button, count, h, keyed, place, span, unread, usd, when } from "./dom.js";

const STATES = ["running", "paused", "pending", "failed", "stopped", "completed"];
const FIRST = 25; // so many fill a screen: they are asked for, and shown, first
const SOME = 20; // so many changed rows are asked for by themselves
const REST = 3000; // so long after that all are: one workflow changes the place of others in the line
const kept = { states: new Set(), text: "", limit: 100 };

// The server reads the text, by the same words as `perles list --filter`; it is still being typed.
export function query(text, states, limit) {
  const found = new URLSearchParams({ limit: String(limit) });
  if (states.size) found.set("state", [...states].join(","));
  if (text.trim()) {
    found.set("filter", text.trim());
    found.set("typing", "true");
  }
  return found;
}

function note(one) {
  const text = one.unattended ?? one.attention ?? one.waits_for[0] ?? one.reason ?? "";
  return text === one.state ? "" : text;
}

// Of a row that is there only the parts are made anew that changed: the link keeps the focus.
function row(one) {
  return keyed(one.id, () => h("li", null, h("a", { class: "card", href: `#/w/${one.id}` })), (li) => {
    if (li.perlesRow !== one) place(li.firstChild, parts(one));
    li.perlesRow = one;
  });
}

function parts(one) {
  const { total, done, failed } = one.tasks;
  const small = (name, ...shown) => keyed([name, shown], () => h("span", { class: "small" }, shown));
  return [
    keyed(["name", one.name, one.priority], () => h("span", { class: "name", dir: "auto" }, one.name, one.priority !== "normal" && h("span", { class: "small" }, ` ${one.priority} priority`))),
    keyed(["state", one.state], () => h("span", null, badge(one.state))),
    keyed(["tasks", total, done, failed], () => h("span", { class: "small" }, total ? `${done}/${total} tasks` : "", failed ? h("b", { class: "bad" }, ` ${failed} failed`) : null)),
    small("workers", one.workers ? `${one.workers} worker${one.workers > 1 ? "s" : ""}` : ""),
    one.started_at ? small("uptime", span(one.uptime_s)) : keyed(["made", one.created_at], () => h("span", { class: "small" }, when(one.created_at))),
    small("cost", usd(one.cost_usd, one.tokens_used)),
    one.unread_posts > 0 && keyed(["unread", one.unread_posts], () => h("span", { class: "note" }, unread(one.unread_posts))),
    note(one) && keyed(["note", note(one), one.attention, one.unattended], () => h("span", { class: one.attention || one.unattended ? "note attention" : "note", dir: "auto" }, note(one))),
  ];
}

export function list(root, home) {
  const chips = h("div", { class: "chips", role: "group", "aria-label": "States" });
  const field = h("input", {
    type: "search", placeholder: "Filter: name, state:running, cost:>2", "aria-label": "Filter", value: kept.text,
    oninput: () => { kept.text = field.value; anew(); },
  });
  const rows = h("ul", { class: "cards" });
  let shown = [];
  let left = 0; // how many more there are
  let changed = new Set();
  let whole = true; // whether more has to be read than the changed rows
  let rest = null;
  let closed = false;
  const anew = () => { whole = true; view.refresh(); };
  const more = h("p");
  root.append(h("h1", { class: "hidden" }, "Workflows"), chips, field, rows, more);

  function showChips(counts) {
    place(chips, STATES.map((state) => keyed([state, counts[state], kept.states.has(state)], () => button(
      `${state} ${count(counts[state])}`,
      async () => { if (!kept.states.delete(state)) kept.states.add(state); showChips(home.overview.workflows); anew(); },
      { class: `chip s-${state}`, "aria-pressed": String(kept.states.has(state)) }))));
  }

  // What was asked for before the scripts had come (first.js) is the first answer to the same question.
  function asked(limit) {
    const first = window.perlesFirst;
    window.perlesFirst = null;
    const wanted = query(kept.text, kept.states, limit);
    return first && String(wanted) === `limit=${FIRST}` ? answered(first) : read(wanted);
  }

  async function show(limit) {
    const found = await asked(limit);
    [shown, left] = [found.rows, found.more];
    place(rows, shown.map(row));
    window.perlesPainted ??= performance.now();
    return found;
  }

  // Reads and shows the rows of these workflows only; false where others have to come or go for it.
  async function brought(ids) {
    const { rows: found } = await read(query(`id:${[...ids].join(",")} ${kept.text}`, kept.states, ids.size));
    const now = new Map(found.map((one) => [one.id, one]));
    const there = new Set(shown.map((one) => one.id));
    const below = (one) => left > 0 && one.created_at < shown.at(-1).created_at;
    if (whole || found.some((one) => !there.has(one.id) && !below(one)) || [...ids].some((id) => there.has(id) && !now.has(id))) return false;
    shown = shown.map((one) => now.get(one.id) ?? one);
    place(rows, shown.map(row));
    if (!closed) rest ??= setTimeout(anew, REST);
    return true;
  }

  async function all() {
    clearTimeout(rest);
    rest = null;
    const first = rows.firstChild ? null : await show(FIRST);
    if (first?.more !== 0) await show(kept.limit);
    place(more,
      !shown.length && keyed(["none", !kept.text, kept.states.size], () => h("span", null, kept.text || kept.states.size ? "No workflow fits." : "No workflows yet: perles run FILE.")),
      left > 0 && keyed(left, () => button(`Show more (${count(left)})`, async () => { kept.limit *= 3; anew(); })));
  }

  const view = {
    async read() {
      const ids = changed;
      const few = !whole && ids.size > 0 && ids.size <= SOME;
      [changed, whole] = [new Set(), false];
      try {
        if (!few || !(await brought(ids))) await all();
      } catch (error) {
        whole = true; // what was not read has to be
        throw error;
      }
    },
    close: () => { closed = true; clearTimeout(rest); },
    overview: (found) => showChips(found.workflows),
    concerns: (events) => {
      for (const { workflow_id: id } of events) {
        if (id) changed.add(id);
        else whole = true;
      }
      return true;
    },
  };
  if (home.overview) showChips(home.overview.workflows);
  return view;
}
