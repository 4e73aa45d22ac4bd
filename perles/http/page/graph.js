// The tasks of a workflow as a graph: a column is how many tasks must be done before.
import { h, svg, unknown } from "./dom.js";

const W = 150;
const H = 40;
const GAP_X = 46;
const GAP_Y = 14;
const MOST = 300;

export function columns(tasks) {
  const known = new Map(tasks.map((task) => [task.key, task]));
  const depth = new Map();
  const depthOf = (key, seen) => {
    if (depth.has(key)) return depth.get(key);
    if (seen.has(key) || !known.has(key)) return -1;
    seen.add(key);
    const found = 1 + Math.max(-1, ...known.get(key).after.map((one) => depthOf(one, seen)));
    seen.delete(key);
    depth.set(key, found);
    return found;
  };
  const found = [];
  for (const task of tasks) (found[depthOf(task.key, new Set())] ??= []).push(task);
  return found;
}

const short = (text, most = 18) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export function graph(tasks, chosen) {
  const shown = tasks.slice(0, MOST);
  const place = new Map();
  columns(shown).forEach((column, x) => column.forEach((task, y) => {
    place.set(task.key, { x: 6 + x * (W + GAP_X), y: 6 + y * (H + GAP_Y) });
  }));
  const right = Math.max(0, ...[...place.values()].map((one) => one.x)) + W + 8;
  const bottom = Math.max(0, ...[...place.values()].map((one) => one.y)) + H + 8;
  const edges = shown.flatMap((task) => task.after.filter((key) => place.has(key)).map((key) => {
    const from = place.get(key);
    const to = place.get(task.key);
    const x1 = from.x + W;
    const y1 = from.y + H / 2;
    const y2 = to.y + H / 2;
    return svg("path", { class: "edge", d: `M${x1} ${y1}C${x1 + GAP_X / 2} ${y1} ${to.x - GAP_X / 2} ${y2} ${to.x} ${y2}` });
  }));
  const nodes = shown.map((task) => {
    const { x, y } = place.get(task.key);
    return svg("g", { class: `node s-${task.status}`, onclick: () => chosen(task.key) },
      svg("title", null, `${task.key}: ${task.status}`),
      svg("rect", { x, y, width: W, height: H, rx: 6 }),
      svg("text", { x: x + 10, y: y + 17 }, short(task.key)),
      svg("text", { x: x + 10, y: y + 32, class: "sub" }, short(`${task.status.replaceAll("_", " ")}${task.assignee ? ` · ${task.assignee}` : ""}`, 23)));
  });
  const left = tasks.length - shown.length;
  return h("div", null,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Graph of the tasks" },
      svg("svg", { width: right, height: bottom, viewBox: `0 0 ${right} ${bottom}`, role: "img", "aria-label": `${shown.length} tasks and what each waits for; the list below tells the same` }, edges, nodes)),
    left > 0 && h("p", { class: "small" }, `${left} more tasks are in the list only.`));
}

// Bars: what each agent cost, or its tokens where no cost is known.
export function bars(agents) {
  const byCost = agents.some((one) => one.cost_usd > 0);
  const value = (one) => (byCost ? one.cost_usd : one.tokens_in + one.tokens_out);
  const most = Math.max(...agents.map(value), 0);
  if (!most) return h("p", { class: "small" }, "No agent used tokens yet.");
  const told = (one) => (!byCost ? `${value(one).toLocaleString("en")} tokens` : unknown(value(one), one.tokens_in + one.tokens_out) ? "cost unknown" : `${value(one).toFixed(4)} USD`);
  return h("figure", null,
    h("figcaption", null, byCost ? "Cost by agent" : "Tokens by agent"),
    h("ul", { class: "bars" }, agents.map((one) => h("li", null,
      h("span", null, one.name),
      svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("rect", { x: 0, y: 0, width: 100, height: 10, class: "rail" }),
        svg("rect", { x: 0, y: 0, width: (100 * value(one)) / most, height: 10, class: "bar" })),
      h("span", { class: "small" }, told(one))))));
}
