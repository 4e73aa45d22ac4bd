// What a workflow changed, file by file; the lines of a file are made when it is opened.
import { get, path } from "./api.js";
import { h } from "./dom.js";

const MOST = 2000;
const KINDS = { "@": "hunk", "+": "add", "-": "del" };

function lines(text, all) {
  const found = text.split("\n");
  const shown = all ? found : found.slice(0, MOST);
  const head = found.findIndex((line) => line.startsWith("@@")); // before it stand names of files: --- a and +++ b
  const kind = (line, at) => (at < head || head < 0 ? "meta" : KINDS[line[0]] ?? "");
  const box = h("pre", { class: "patch", tabindex: "0" }, shown.map((line, at) => h("span", { class: kind(line, at) }, `${line}\n`)));
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
