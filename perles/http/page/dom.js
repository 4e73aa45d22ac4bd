// Elements are made of text nodes: what agents wrote is never read as markup.
// What has no glyph, or turns the order of letters around.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
export const clean = (text) => text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replace(HIDDEN, "");
const SVG = "http://www.w3.org/2000/svg";

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  const shown = children.flat(9).filter((one) => one !== null && one !== undefined && one !== false);
  element.append(...shown.map((one) => (one instanceof Node ? one : clean(String(one)))));
  return element;
}

export const h = (name, given, ...children) => fill(document.createElement(name), given, children);
export const svg = (name, given, ...children) => fill(document.createElementNS(SVG, name), given, children);

// Puts children in place; those that look as before stay wherever they are now, with focus and what was typed.
export function place(parent, ...children) {
  const had = new Map([...parent.childNodes].map((node) => [node.perlesKey ?? node, node]));
  const wanted = children.flat(9).filter(Boolean).map((child) => {
    if (child instanceof Node) return child;
    const node = had.get(child.perlesKey) ?? child.make();
    had.delete(child.perlesKey);
    node.perlesKey = child.perlesKey;
    child.bring?.(node);
    return node;
  });
  const stay = new Set(wanted);
  for (const node of [...parent.childNodes]) if (!stay.has(node)) node.remove();
  let at = parent.firstChild;
  for (const node of wanted) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

// An element that `place` makes only where what it shows is not there already; `bring` brings it up to date.
export const keyed = (what, make, bring) => ({ perlesKey: JSON.stringify(what), make, bring });

export const badge = (state) => h("span", { class: `badge s-${state}` }, String(state).replaceAll("_", " "));

export const button = (text, act, more = {}) =>
  h("button", {
    type: "button",
    onclick: async (event) => {
      const self = event.currentTarget;
      self.disabled = true;
      try { await act(); } catch (error) { tell(error.message); } finally { self.disabled = false; }
    },
    ...more,
  }, text);

let timer;
export function tell(text) {
  const told = document.getElementById("told");
  told.onclick = () => { told.textContent = ""; }; // it may cover something
  told.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => { told.textContent = ""; }, 8000);
}

// Asks for a yes, and for a text where `label` is given; null for no.
export function ask(question, yes, label = null, needed = false) {
  return new Promise((done) => {
    const field = label && h("textarea", { rows: 3, required: needed });
    let said = null;
    const box = h("dialog", { "aria-label": question, onclose: () => { box.remove(); done(said); } },
      h("form", { onsubmit: (event) => { event.preventDefault(); said = field?.value ?? ""; box.close(); } },
        h("p", null, question),
        label && h("label", null, label, field),
        h("div", { class: "row" },
          h("button", { type: "submit", class: "primary" }, yes),
          h("button", { type: "button", onclick: () => box.close() }, "Cancel"))));
    document.body.append(box);
    box.showModal();
  });
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${String(Math.floor(whole / 60) % 60).padStart(2, "0")}m`;
  return `${Math.floor(whole / 86400)}d${String(Math.floor(whole / 3600) % 24).padStart(2, "0")}h`;
}

export const when = (text) => {
  if (!text) return "–";
  const date = new Date(text);
  const today = date.toDateString() === new Date().toDateString();
  return h("time", { datetime: text, title: date.toLocaleString() },
    today ? date.toLocaleTimeString() : date.toLocaleString());
};

// Where tokens were used and there is no amount, nobody told what they cost.
export const unknown = (amount, tokens) => !amount && tokens > 0;
export const usd = (amount, tokens, agents = []) => {
  if (!amount) return tokens ? "cost unknown" : "";
  const some = agents.some((one) => unknown(one.cost_usd, one.tokens_in + one.tokens_out));
  return `${some ? "at least " : ""}${amount.toFixed(2)} USD`;
};
export const count = (number) => Number(number ?? 0).toLocaleString("en");
export const unread = (number) => (number > 0 ? `${count(number)} new post${number > 1 ? "s" : ""}` : "");
