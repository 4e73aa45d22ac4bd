import { answered, list as read } from "./api.js";
import { badge, button, count, h, keyed, place, span, unread, usd, when } from "./dom.js";

const STATES = ["running", "paused", "pending", "failed", "stopped", "completed"];
const FIRST = 25; // so many fill a screen: they are asked for, and shown, first
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

function row(one) {
  const { total, done, failed } = one.tasks;
  return keyed(one, () => h("li", null, h("a", { class: "card", href: `#/w/${one.id}` },
    h("span", { class: "name", dir: "auto" }, one.name, one.priority !== "normal" && h("span", { class: "small" }, ` ${one.priority} priority`)),
    h("span", null, badge(one.state)),
    h("span", { class: "small" }, total ? `${done}/${total} tasks` : "", failed ? h("b", { class: "bad" }, ` ${failed} failed`) : null),
    h("span", { class: "small" }, one.workers ? `${one.workers} worker${one.workers > 1 ? "s" : ""}` : ""),
    h("span", { class: "small" }, one.started_at ? span(one.uptime_s) : when(one.created_at)),
    h("span", { class: "small" }, usd(one.cost_usd, one.tokens_used)),
    one.unread_posts > 0 && h("span", { class: "note" }, unread(one.unread_posts)),
    note(one) && h("span", { class: one.attention || one.unattended ? "note attention" : "note", dir: "auto" }, note(one)))));
}

export function list(root, home) {
  const chips = h("div", { class: "chips", role: "group", "aria-label": "States" });
  const field = h("input", {
    type: "search", placeholder: "Filter: name, state:running, cost:>2", "aria-label": "Filter", value: kept.text,
    oninput: () => { kept.text = field.value; view.refresh(); },
  });
  const rows = h("ul", { class: "cards" });
  const more = h("p");
  root.append(h("h1", { class: "hidden" }, "Workflows"), chips, field, rows, more);

  function showChips(counts) {
    place(chips, STATES.map((state) => keyed([state, counts[state], kept.states.has(state)], () => button(
      `${state} ${count(counts[state])}`,
      async () => { if (!kept.states.delete(state)) kept.states.add(state); showChips(home.overview.workflows); view.refresh(); },
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
    place(rows, found.rows.map(row));
    window.perlesPainted ??= performance.now();
    return found;
  }

  const view = {
    async read() {
      const first = rows.firstChild ? null : await show(FIRST);
      const found = first?.more === 0 ? first : await show(kept.limit);
      place(more,
        !found.rows.length && keyed("none", () => h("span", null, kept.text || kept.states.size ? "No workflow fits." : "No workflows yet: perles run FILE.")),
        found.more > 0 && keyed(found.more, () => button(`Show more (${count(found.more)})`, async () => { kept.limit *= 3; view.refresh(); })));
    },
    overview: (found) => showChips(found.workflows),
    concerns: () => true,
  };
  if (home.overview) showChips(home.overview.workflows);
  return view;
}
