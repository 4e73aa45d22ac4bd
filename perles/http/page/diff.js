// What a workflow changed, file by file; the lines of a file are made when it is opened.
import { get, path } from "./api.js";
import { h } from "./dom.js";

const MOST = 2000;
const kind = (line) => (line.startsWith("@@") ? "hunk" : line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "");

function lines(text, all) {
  const found = text.split("\n");
  const shown = all ? found : found.slice(0, MOST);
  const box = h("pre", { class: "patch", tabindex: "0" }, shown.map((line) => h("span", { class: kind(line) }, `${line}\n`)));
  if (shown.length === found.length) return box;
  return h("div", null, box, h("button", { type: "button", onclick: (event) => event.currentTarget.parentElement.replaceWith(lines(text, true)) }, `Show all ${found.length} lines`));
}

export async function diff(root, id) {
  root.replaceChildren(h("p", null, "Reading the changes…"));
  let found;
  try {
    found = await get(`/workflows${path(id)}/diff`);
  } catch (error) {
    root.replaceChildren(h("p", null, error.message));
    return;
  }
  const patches = found.patch.split(/^(?=diff --git )/m).filter(Boolean);
  const total = (key) => found.files.reduce((sum, file) => sum + (file[key] ?? 0), 0);
  root.replaceChildren(
    h("p", { class: "small" }, `${found.branch ?? ""}: ${found.files.length} files, +${total("added")} −${total("removed")}`, found.cut ? "; the patch is cut: perles diff shows all" : ""),
    ...found.files.map((file, at) => {
      const body = h("div");
      return h("details", { ontoggle: (event) => { if (event.currentTarget.open && !body.firstChild) body.append(lines(patches[at] ?? "", false)); } },
        h("summary", null, h("code", null, file.path), " ", file.added === null ? "binary" : h("span", { class: "small" }, `+${file.added} −${file.removed}`)), body);
    }),
    found.files.length ? "" : h("p", null, "Nothing has changed."));
}
