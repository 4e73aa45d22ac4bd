import { get, path, post } from "./api.js";
import { ask, badge, button, count, h, keyed, place, span, tell, usd, when } from "./dom.js";
import { diff } from "./diff.js";
import { bars, graph } from "./graph.js";
import { entry } from "./inbox.js";
import { transcript } from "./transcript.js";

const TABS = { tasks: "Tasks", agents: "Agents", posts: "Posts", transcript: "Transcript", timeline: "Timeline", diff: "Changes" };
const OPEN = ["pending", "running", "paused"];

function verbs(home, one, after) {
  if (home.role === "read") return [];
  const give = (verb, body) => async () => { tell((await post(`/workflows${path(one.id)}/${verb}`, body)).text ?? verb); after(); };
  const stop = async () => {
    const why = await ask(`Stop ${one.name} for good?`, "Stop", "Why (optional)");
    if (why !== null) await give("stop", { reason: why || null })();
  };
  const retry = async () => { location.hash = `#/w/${(await post(`/workflows${path(one.id)}/retry`)).id}`; };
  return [
    one.state === "pending" && !one.start_requested_at && button("Start", give("start"), { class: "primary" }),
    one.state === "paused" && button("Resume", give("resume"), { class: "primary" }),
    one.state === "running" && button("Pause", give("pause")),
    OPEN.includes(one.state) && button("Stop", stop, { class: "danger" }),
    ["failed", "stopped"].includes(one.state) && button("Retry", retry),
  ];
}

function tasks(box, one) {
  const open = (key) => {
    const found = [...box.querySelectorAll("details")].find((item) => item.dataset.key === key);
    if (found) { found.open = true; found.scrollIntoView({ block: "center" }); found.querySelector("summary").focus(); }
  };
  const drawn = one.tasks.map(({ key, status, after, assignee }) => ({ key, status, after, assignee }));
  const list = box.querySelector("ul") ?? h("ul", { class: "cards" });
  place(list, one.tasks.map((task) => keyed(task, () => {
    const was = [...box.querySelectorAll("details")].find((item) => item.dataset.key === task.key)?.open;
    return h("li", null, h("details", { class: "card", "data-key": task.key, open: was },
      h("summary", null, h("b", null, task.key), " ", badge(task.status), " ",
        task.name !== task.key && h("span", { dir: "auto" }, task.name), " ",
        h("span", { class: "small" }, task.assignee ?? "", task.attempt > 1 ? ` · attempt ${task.attempt}` : "")),
      task.failure && h("p", { class: "bad", dir: "auto" }, task.failure),
      task.body && h("pre", { class: "said", dir: "auto" }, task.body),
      task.report && h("pre", { class: "said", dir: "auto" }, task.report),
      task.output_tail.length > 0 && h("pre", { class: "said", dir: "auto" }, task.output_tail.join("\n")),
      h("p", { class: "small" }, task.after.length ? `after ${task.after.join(", ")} · ` : "", when(task.started_at), " to ", when(task.ended_at))));
  })));
  place(box, keyed(drawn, () => graph(one.tasks, open)), list,
    !one.tasks.length && keyed("none", () => h("p", null, "No tasks yet.")));
}

/** Where an agent is; what becomes of its turn while that machine is not heard. */
function away({ node, unreachable }) {
  if (!unreachable) return `on ${node}`;
  const then = unreachable.lost_at ? ["at ", when(unreachable.lost_at), " the turn counts as lost"] : ["the turn waits for it"];
  return [`its node ${node} is unreachable since `, when(unreachable.since), "; ", ...then];
}

const told = (text) => (text ? ` · ${text}` : "");

async function agents(box, one) {
  const found = await get(`/workflows${path(one.id)}/agents`);
  place(box, keyed(["bars", found.map((agent) => [agent.name, agent.cost_usd, agent.tokens_in, agent.tokens_out])], () => bars(found)),
    keyed(["agents", found], () => h("ul", { class: "cards" }, found.map((agent) => h("li", { class: "card" },
      h("b", null, agent.name), " ", badge(agent.status), " ", h("span", { class: "small" }, agent.provider, agent.model ? ` ${agent.model}` : "", agent.task ? ` · ${agent.phase} ${agent.task}` : ""),
      h("p", { class: "small" }, `${count(agent.turns)} turn${agent.turns === 1 ? "" : "s"}`, told(agent.tokens_in + agent.tokens_out > 0 && `${count(agent.tokens_in)} in, ${count(agent.tokens_out)} out, ${count(agent.tokens_cached)} cached`), told(usd(agent.cost_usd, agent.tokens_in + agent.tokens_out))),
      agent.node && h("p", { class: agent.unreachable ? "bad" : "small" }, away(agent)),
      agent.error && h("p", { class: "bad", dir: "auto" }, agent.error))))));
}

// What is shown counts as read, for the page, the dashboard and the command line together.
async function read(one, found, channels) {
  for (const { channel, unread: left, last_post: last } of channels) {
    const seen = found.findLast((item) => item.channel === channel);
    if (left && seen?.id === last) await post(`/workflows${path(one.id, "channels", channel, "read")}`, { post: last });
  }
}

async function posts(box, one, home, after) {
  const [found, channels] = await Promise.all([
    get(`/workflows${path(one.id)}/posts?limit=100`), get(`/workflows${path(one.id)}/channels`)]);
  const list = box.querySelector("ol") ?? h("ol", { class: "lines" });
  place(list, found.map((item) => keyed(item, () => h("li", { class: "line" },
    h("div", { class: "small" }, `#${item.channel} · ${item.author} · `, when(item.at), item.thread !== item.id ? ` · in thread ${item.thread}` : ""),
    h("pre", { class: "said", dir: "auto" }, item.text)))));
  const writes = box.querySelector("form") ?? composer("Post", "Text of the post", async (text) => { await post(`/workflows${path(one.id)}/posts`, { text }); after(); });
  place(box, list, !found.length && keyed("none", () => h("p", null, "No posts yet.")), home.role !== "read" && OPEN.includes(one.state) && writes);
  if (home.role !== "read" && !document.hidden) await read(one, found, channels);
}

function composer(word, label, send) {
  const field = h("input", { "aria-label": label, placeholder: label });
  return h("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    try { await send(field.value); field.value = ""; } catch (error) { tell(error.message); }
  } }, field, h("button", { type: "submit" }, word));
}

async function timeline(box, one) {
  const found = await get(`/workflows${path(one.id)}/events?limit=200&types=workflow.*,task.*,turn.failed,turn.lost,health.*,question.*,user.*,*.spawned,*.retired,recovery.*,resource.budget*`);
  place(box, keyed(found.at(-1)?.seq ?? 0, () => h("ol", { class: "lines" }, found.toReversed().map((event) => h("li", { class: "line" },
    h("div", { class: "small" }, when(event.at), event.agent ? ` · ${event.agent}` : ""),
    h("div", { dir: "auto" }, [event.type.replace(".", " ").replaceAll("_", " "), event.task, event.payload.reason ?? event.payload.text ?? event.payload.failure].filter(Boolean).join(" · ").slice(0, 500)))))));
}

export function workflow(root, home, ref, tab) {
  const head = h("div");
  const asks = h("ul", { class: "cards" });
  const fresh = h("span", { class: "new" });
  const tabs = h("nav", { class: "tabs", "aria-label": "Parts of the workflow" }, Object.entries(TABS).map(([key, text]) =>
    h("a", { href: `#/w/${encodeURIComponent(ref)}/${key}`, "aria-current": key === tab ? "page" : null }, text, key === "posts" && fresh)));
  const box = h("div", { class: "part" });
  root.append(head, asks, tabs, box);
  requestAnimationFrame(() => tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }));
  let id = null;
  let speech = null;
  const refresh = () => view.refresh();

  const show = {
    tasks: (one) => tasks(box, one),
    agents: (one) => agents(box, one),
    posts: (one) => posts(box, one, home, refresh),
    timeline: (one) => timeline(box, one),
    async transcript(one) {
      if (!speech) { speech = transcript(box, one.id); await speech.begin(); }
      speech.agents(one.agents.map((agent) => agent.name));
      if (home.role !== "read" && OPEN.includes(one.state) && !box.querySelector("form")) {
        box.append(composer("Send", "Message to the coordinator", async (text) => tell((await post(`/workflows${path(one.id)}/messages`, { text })).text)));
      }
    },
    async diff(one) {
      if (box.firstChild) return;
      if (!one.worktree && !one.branch) return box.append(h("p", null, "No changes are kept: this workflow has no worktree, it works in ", h("code", null, one.work_dir), " itself."));
      const again = () => diff(part, one.id);
      const part = h("div");
      box.append(button("Read again", again), part);
      await again();
    },
  };

  const view = {
    async read() {
      let one;
      try {
        one = await get(`/workflows${path(ref)}`);
      } catch (error) {
        if (error.status !== 404) throw error;
        root.replaceChildren(h("p", null, error.message), h("a", { href: "#/" }, "All workflows"));
        return;
      }
      id = one.id;
      fresh.textContent = tab === "posts" || !one.unread_posts ? "" : ` (${count(one.unread_posts)} new)`;
      const done = one.task_counts?.done ?? one.tasks.filter((task) => task.status === "done").length;
      const { tasks: _, agents: __, uptime_s: ___, unread_posts: ____, ...rest } = one;
      place(head, keyed([rest, done, home.role], () => h("div", null,
        h("h1", { dir: "auto" }, one.name, " ", badge(one.state)),
        h("p", { class: "small" }, `${one.id} · ${one.template_id} · ${done}/${one.tasks.length} tasks · `, span(one.uptime_s), one.tokens_used ? ` · ${count(one.tokens_used)} tokens` : "", told(usd(one.cost_usd, one.tokens_used, one.agents))),
        [one.unattended, one.attention, ...one.waits_for, one.reason].filter((text, at, all) => text && all.indexOf(text) === at).slice(0, 3).map((text) => h("p", { class: text === one.unattended || text === one.attention ? "note attention" : "note", dir: "auto" }, text)),
        h("div", { class: "row" }, verbs(home, one, refresh)))));
      const waiting = one.waiting_for_user || one.attention ? (await get("/inbox")).filter((item) => item.workflow_id === id) : [];
      place(asks, waiting.map((item) => keyed(item, () => entry(home, item, refresh, false))));
      await (show[tab] ?? show.tasks)(one);
    },
    concerns: (events) => id === null || events.some((event) => event.workflow_id === id),
    heard: (events) => speech?.heard(events),
  };
  return view;
}
