"""include: other files, each as a group of tasks."""

from pathlib import Path
from typing import Final, NamedTuple

from perles.config.yamlfile import Node
from perles.domain.fan_out import slug
from perles.templates.keys import texts
from perles.templates.keys.key import At, Entries, Family, Key
from perles.templates.keys.shapes import TEXT, WORDS, either, items, parts

MAX_INCLUDES: Final = 100


class Include(NamedTuple):
    """Another file: its tasks' keys begin with `prefix`, its first tasks wait for `after`."""

    node: Node
    path: Path
    prefix: str
    args: dict[str, str]
    after: tuple[str, ...]


def includes(entries: Entries, folder: Path) -> list[Include]:
    """What a file in `folder` includes. Raises `UsageError` that names file, line and key."""
    node = entries.get("include")
    if node is None or node.value is None:
        return []
    found = texts.one_or_more(node)
    if len(found) > MAX_INCLUDES:
        raise node.error(f"{len(found)} files are too many; {MAX_INCLUDES} at most")
    return [_include(one, folder) for one in found]


def _include(node: Node, folder: Path) -> Include:
    if not isinstance(node.value, dict):
        entries: dict[str, Node] = {"file": node}
    else:
        entries = node.mapping(("file", "prefix", "args", "after"))
    if "file" not in entries:
        raise node.error("file is missing; name the file to include")
    name = entries["file"].text()
    if not name.strip():
        raise entries["file"].error("is empty; name the file to include")
    path = folder / Path(name).expanduser()
    args = entries["args"].mapping() if "args" in entries else {}
    return Include(
        node=entries["file"],
        path=path,
        prefix=_prefix(entries, path),
        args={key: value.text() for key, value in args.items()},
        after=_after(entries["after"]) if "after" in entries else (),
    )


def _prefix(entries: Entries, path: Path) -> str:
    if "prefix" not in entries:
        prefix = slug(path.stem)
        if not prefix:
            raise entries["file"].error("has no name to begin keys with; give a prefix")
        return prefix
    node = entries["prefix"]
    if node.value is None or node.value == "":
        return ""
    if not texts.KEY.fullmatch(node.text()):
        raise node.error(f"{node.text()[:60]!r} is no prefix; use small letters, digits, - and _")
    return node.text()


def _after(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, str):
        return (node.text(),)
    return tuple(dict.fromkeys(item.text() for item in node.items()))


FAMILY: Final = Family(
    title="Include other files",
    text="""\
`include` adds the tasks of other pipeline files. Paths are relative to the file that contains the
`include`. The keys of the added tasks get a prefix, by default the name of their file: `build` of
`web.yaml` becomes `web-build`, and `after: [web]` waits for all tasks of the file. Inside the file,
tasks refer to each other by their original keys. The file's `env`, `shell`, `dir`, `worker` and
other defaults apply to its own tasks; `name`, `workers`, `roles` and `worktree` come from the main
file. `args` sets its parameters, and `after` names the tasks that its first tasks wait for.
`prefix: ""` keeps the keys unchanged. A file that includes itself, directly or indirectly, is
refused.

Keys that start with `x-` are ignored, at the top of a file and in tasks: use them for anchors.
Anchors, aliases and merge keys work: `<<: *defaults`. A pipeline file can also be JSON.
""",
    keys=(
        Key(
            name="include",
            at=At.FILE,
            schema=either(
                WORDS,
                _MAPPING := parts(
                    {
                        "file": WORDS,
                        "prefix": either(TEXT, {"type": "null"}),
                        "args": {"type": "object", "additionalProperties": TEXT},
                        "after": either(WORDS, items(WORDS)),
                    },
                    ("file",),
                ),
                items(either(WORDS, _MAPPING), 0, MAX_INCLUDES),
            ),
            doc="A file, or a list of files. As a mapping: `file`, with the options `prefix`, "
            "`args` and `after`.",
            example="include:\n  - other.yaml\n"
            "  - {file: other.yaml, prefix: second, args: {target: arm64}, after: other}",
        ),
    ),
)
