import { list as read } from "./api.js";
import { badge, button, count, h, keyed, place, span, usd, when } from "./dom.js";

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

const note = (one) => one.unattended ?? one.attention ?? one.waits_for[0] ?? one.reason ?? "";

function row(one) {
  const { total, done, failed } = one.tasks;
  return keyed(one, () => h("li", null, h("a", { class: "card", href: `#/w/${one.id}` },
    h("span", { class: "name" }, one.name),
    badge(one.state),
    one.priority !== "normal" && h("span", { class: "small" }, `${one.priority} priority`),
    h("span", { class: "small" }, total ? `${done}/${total} tasks` : "", failed ? h("b", { class: "bad" }, ` ${failed} failed`) : null),
    h("span", { class: "small" }, one.workers ? `${one.workers} worker${one.workers > 1 ? "s" : ""}` : ""),
    h("span", { class: "small" }, one.started_at ? span(one.uptime_s) : when(one.created_at)),
    h("span", { class: "small" }, usd(one.cost_usd)),
    note(one) && h("span", { class: one.attention || one.unattended ? "note attention" : "note", dir: "auto" }, note(one)))));
}

export function list(root, home) {
  const chips = h("div", { class: "chips", role: "group", "aria-label": "States" });
  const field = h("input", {
    type: "search", placeholder: "Filter: text, state:running, label:team=red, cost:>2", "aria-label": "Filter", value: kept.text,
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

  async function show(limit) {
    const found = await read(query(kept.text, kept.states, limit));
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
