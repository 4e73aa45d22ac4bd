import { get, path, post } from "./api.js";
import { ask, button, h, keyed, place, tell, when } from "./dom.js";

const mayAnswer = (home) => home.role !== "read";

// What a person can do about an entry; `after` is called when it was done.
export function answers(home, one, after) {
  if (!mayAnswer(home)) return h("p", { class: "small" }, "This token may only read.");
  const of = (...parts) => `/workflows${path(one.workflow_id, ...parts)}`;
  const done = (work) => async () => { const found = await work(); if (found === null) return; tell(found.text ?? "done"); after(); };
  if (one.kind === "question") {
    const send = (text) => post(of("questions", String(one.question), "answer"), { text });
    const field = h("input", { "aria-label": `Answer to: ${one.text.slice(0, 80)}`, placeholder: one.default === null ? "Your answer" : `Default: ${one.default}` });
    return [
      one.options.length > 0 && h("div", { class: "row" }, one.options.map((text, at) => button(text, done(() => send(String(at + 1))), { class: "primary" }))),
      h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); if (field.value || one.default !== null) done(() => send(field.value))().catch((error) => tell(error.message)); } },
        field, h("button", { type: "submit" }, "Send")),
    ];
  }
  if (one.kind === "approval") {
    return h("div", { class: "row" },
      button("Approve", done(() => post(of("tasks", one.task, "approve"))), { class: "primary" }),
      button("Deny", done(async () => {
        const why = await ask(`Deny ${one.task}?`, "Deny", "Why (the agents read it)", true);
        return why === null ? null : post(of("tasks", one.task, "deny"), { message: why });
      }), { class: "danger" }));
  }
  return button("Done", done(() => post("/inbox/ack", { seqs: [one.seq] })));
}

export function entry(home, one, after, link = true) {
  return h("li", { class: "card" },
    h("div", { class: "row" }, h("span", { class: "badge" }, one.kind),
      link && one.workflow_id && h("a", { href: `#/w/${one.workflow_id}` }, one.workflow ?? one.workflow_id),
      one.task && h("span", { class: "small" }, one.task), h("span", { class: "small" }, when(one.at))),
    h("p", { class: "said", dir: "auto" }, one.text),
    answers(home, one, after));
}

export function inbox(root, home) {
  const rows = h("ul", { class: "cards" });
  root.append(h("h1", null, "Inbox"), rows);
  const view = {
    async read() {
      const found = await get("/inbox");
      if (found.length) place(rows, found.map((one) => keyed(one, () => entry(home, one, () => view.refresh()))));
      else place(rows, keyed("none", () => h("li", null, "Nothing waits for you.")));
    },
    concerns: () => true,
  };
  return view;
}
