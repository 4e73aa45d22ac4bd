import { get, path, post } from "./api.js";
import { badge, button, h, keyed, place, tell, when } from "./dom.js";

const size = (bytes) => (bytes ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : "?");
const skew = (seconds) => (Math.abs(seconds ?? 0) < 1 ? "" : ` · clock ${Math.round(Math.abs(seconds))} s ${seconds > 0 ? "ahead" : "behind"}`);

function card(home, one, after) {
  const act = async (verb) => { const found = await post(`/nodes${path(one.name, verb)}`); tell(`${found.node} is ${found.state}`); after(); };
  const turns = one.turns.map((turn) => h("li", null, h("a", { href: `#/w/${turn.workflow_id}` }, turn.workflow), ` · ${turn.agent}`, turn.task ? ` · ${turn.task}` : "", " since ", when(turn.started_at)));
  return h("li", { class: "card" },
    h("b", { dir: "auto" }, one.name), " ", badge(one.state), " ",
    h("span", { class: "small" }, `${one.used} of ${one.slots} slots`, one.labels.length ? ` · ${one.labels.join(", ")}` : ""),
    h("p", { class: "small" }, `memory ${size(one.memory_free)} free of ${size(one.memory)} · disk ${size(one.disk_free)} free${skew(one.skew)} · perles ${one.perles ?? "?"}, python ${one.python ?? "?"} · heard `, when(one.last_heard_at)),
    one.problems.map((text) => h("p", { class: one.state === "gone" ? "small" : "bad", dir: "auto" }, text)),
    turns.length > 0 && h("ul", { class: "small" }, turns),
    home.role === "admin" && one.state !== "gone" && (one.drain ? button("Resume", () => act("resume")) : button("Drain", () => act("drain"))));
}

export function nodes(root, home) {
  const stands = h("p", { class: "small" });
  const rows = h("ul", { class: "cards" });
  root.append(h("h1", null, "Nodes"), stands, rows);
  const view = {
    async read() {
      const [found, engine] = await Promise.all([get("/nodes"), get("/engine")]);
      const link = engine?.cluster;
      place(stands, keyed([link, found.length], () => h("span", null, link
        ? [`${link.place}: ${link.state} since `, when(link.since), link.problem ? `: ${link.problem}` : ""]
        : "Turns run on this machine: the engine has no cluster.")));
      place(rows, found.length ? found.map((one) => keyed([one, home.role], () => card(home, one, () => view.refresh())))
        : keyed("none", () => h("li", null, link ? "Waiting for the first node." : "No nodes.")));
    },
    concerns: (events) => events.some((one) => /^(node|cluster|turn)\./.test(one.type)),
  };
  return view;
}
