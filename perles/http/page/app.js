import { KEY, Refused, follow, get, token } from "./api.js";
import { h, tell } from "./dom.js";
import { list } from "./list.js";

const main = document.getElementById("main");
const state = document.getElementById("state");
const LOOK = 5000; // an engine that dies writes no event
const AGES = 30000; // ages are shown to the minute
const FIRST = 1000; // so long what is looked at comes before all else
const PAUSE = 250; // between two readings while events come without a pause
const home = { role: "read", overview: null };
let view = null;
let connected = true;
let waiting = null; // how much was in the inbox when it was counted last

// Reads again at once, a second time too, and then not more often than `PAUSE`; after a slow reading it pauses as well.
function paced(work) {
  let busy = false;
  let again = false;
  let due = 0;
  const run = async () => {
    if (busy) { again = true; return; }
    busy = true;
    const begun = performance.now(); // unlike the time of day, it is never set back
    try { await work(); } catch (error) { failed(error); }
    const now = performance.now();
    setTimeout(() => {
      busy = false;
      if (again) { again = false; run(); }
    }, Math.max(due - now, Math.min(now - begun, PAUSE)));
    due = Math.max(due, now) + PAUSE;
  };
  return run;
}

function failed(error) {
  if (error.status === 401 && token.get()) login("This token does not hold.");
  else if (error.status === 401) return; // asked before somebody logged out
  else if (error.status) tell(error.message);
  else lost();
}

const look = paced(async () => {
  if (!token.get()) return; // nobody is logged in: what is typed in the form stays
  home.overview = await get("/overview");
  showState();
  showInbox(home.overview.inbox);
  view?.overview?.(home.overview);
});

function lost() {
  if (connected) { connected = false; showState(); }
}

function showState() {
  const engine = home.overview?.engine;
  let text = "";
  if (!connected) text = "No connection to Perles: what you see may be old. Trying again…";
  else if (home.overview && !engine) text = "No engine runs: nothing goes on until one is started with perles serve.";
  else if (engine?.trouble) text = `The engine cannot go on: ${engine.trouble}`;
  else if (engine?.cluster?.state === "unreachable") text = `The cluster ${engine.cluster.place} is unreachable: ${engine.cluster.problem}`;
  document.getElementById("nodes-link").hidden = !engine?.cluster;
  if (state.textContent !== text) state.textContent = text;
  state.hidden = !text;
}

function showInbox(count) {
  const link = document.getElementById("inbox-link");
  link.textContent = count ? `Inbox (${count})` : "Inbox";
  link.classList.toggle("has", count > 0);
  document.title = count ? `(${count}) Perles` : "Perles";
  navigator.setAppBadge?.(count).catch(() => {}); // on the icon of the installed page
  if (waiting !== null && count > waiting && sounds()) beep();
  waiting = count;
}

const sounds = () => localStorage.getItem("perles-sound") === "on";
let audio = null;

function beep() {
  audio ??= new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = 660;
  volume.gain.setValueAtTime(0.15, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.5);
}

// The list needs none of these: they are loaded once it stands.
const inbox = () => import("./inbox.js").catch(gone);
const workflow = () => import("./workflow.js").catch(gone);
const nodes = () => import("./nodes.js").catch(gone);
let routed = 0;

// Another version of Perles may serve the page by now, with other files.
async function gone(error) {
  await get("/whoami"); // throws what is wrong where nothing is served at all
  console.warn(error);
  throw new Refused(404, { message: "A part of this page cannot be loaded: load the page again." });
}

async function made(root, first, id, tab) {
  if (first === "w" && id) return (await workflow()).workflow(root, home, id, tab || "tasks");
  if (first === "nodes") return (await nodes()).nodes(root, home);
  if (first === "inbox") return (await inbox()).inbox(root, home);
  return list(root, home);
}

async function route() {
  const turn = ++routed;
  const [, first, id, tab] = location.hash.split("/").map(decodeURIComponent);
  view?.close?.();
  view = null;
  const root = h("div", { class: "view" });
  const next = await made(root, first, id, tab);
  if (turn !== routed) return next.close?.();
  view = next;
  for (const link of document.querySelectorAll("header nav a")) {
    const here = link.getAttribute("href") === `#/${first ?? ""}`;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren(root);
  view.refresh = paced(view.read);
  await view.refresh();
}

let soon = null;

function heard(events) {
  if (!token.get()) return;
  view?.heard?.(events);
  if (view?.concerns(events)) view.refresh();
  soon ??= setTimeout(() => { soon = null; look(); }, 150); // what is looked at comes first
}

function begin() {
  follow(heard, (there, error) => {
    if (error) return failed(error);
    const again = there && !connected;
    connected = there;
    showState();
    if (again) { look(); view?.refresh(); }
  });
  addEventListener("storage", (event) => { if (event.key === KEY || event.key === null) location.reload(); }); // another tab logs in or out
  addEventListener("hashchange", () => { if (!token.get()) return; tell(""); route().catch(failed); main.focus(); });
  setInterval(look, LOOK);
  setInterval(() => view?.refresh(), AGES);
}

function login(why) {
  token.drop();
  view?.close?.();
  view = null;
  document.getElementById("leave").hidden = true;
  const field = h("input", { type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  main.replaceChildren(h("div", { class: "view login" },
    h("h1", null, "Perles"),
    why && h("p", { class: "bad" }, why),
    h("p", null, "Make a token on the machine where Perles runs: ", h("code", null, "perles token create phone --role operate")),
    h("form", { onsubmit: (event) => { event.preventDefault(); token.set(field.value.trim()); location.reload(); } },
      h("label", null, "Token", field),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Log in")))));
  field.focus();
}

async function start() {
  const given = /^#token=([\w-]+)$/.exec(location.hash);
  if (given) {
    token.set(given[1]);
    history.replaceState(null, "", "/");
  }
  if (!token.get()) return login("");
  const sound = document.getElementById("sound");
  const show = () => sound.setAttribute("aria-pressed", String(sounds()));
  sound.onclick = () => { localStorage.setItem("perles-sound", sounds() ? "off" : "on"); show(); if (sounds()) beep(); };
  show();
  const leave = document.getElementById("leave");
  leave.hidden = false;
  leave.onclick = () => login("");
  home.role = localStorage.getItem("perles-role") ?? "read";
  begin(); // before anything is read: what happens from now on is heard
  const shown = route().catch(failed);
  await Promise.race([shown, new Promise((go) => setTimeout(go, FIRST))]);
  look();
  for (const load of [inbox, workflow]) load().catch(() => {}); // what fails is told when it is wanted
  for (;;) {
    try {
      const { role } = await get("/whoami");
      if (role !== home.role) { home.role = role; localStorage.setItem("perles-role", role); await route(); }
      return;
    } catch (error) {
      if (error.status === 401) return login("This token does not hold.");
      lost();
      await new Promise((go) => setTimeout(go, 1500));
    }
  }
}

if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});
start();
