"""The keys that name the files which a task takes and makes: inputs, outputs."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.plain import is_one_line
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import WORDS, either, items, parts

MAX_FILES: Final = 100


def files(entries: Entries, name: str) -> dict[str, str]:
    """The files of a task by key, as they are written. Raises `UsageError`."""
    node = entries.get(name)
    if node is None or node.value is None:
        return {}
    if isinstance(node.value, dict):
        found = [(key, _text(one, one)) for key, one in node.value.items()]
    else:
        found = [_item(item) for item in node.items()]
    if len(found) > MAX_FILES:
        raise node.error(f"{len(found)} files are too many; {MAX_FILES} at most")
    for number, (key, _) in enumerate(found):
        if key in dict(found[:number]):
            raise node.error(f"two files have the key {key!r}; rename one")
    return dict(found)


def _item(item: Node) -> tuple[str, str]:
    if isinstance(item.value, str):  # as an older description of templates had it
        text = _text(item, item)
        return PurePosixPath(text).name.removesuffix(".md"), text
    entries = item.mapping(("key", "file"))
    for needed in ("key", "file"):
        if needed not in entries:
            raise item.error(f"{needed} is missing; a file needs key and file")
    return _text(entries["key"], item), _text(entries["file"], item)


def _text(node: Node, whole: Node) -> str:
    text = node.text() if node.value is not None else ""
    if not text.strip():
        raise whole.error("is empty; give the key and the path of a file")
    return text


def path_problem(path: str) -> str | None:
    """Why a path is none that a task can hand on; None where it is one."""
    parts_of = PurePosixPath(path).parts
    if not path.strip() or not parts_of:
        return "is empty"
    if not is_one_line(path):
        return "holds control characters"
    if path.startswith(("/", "~")) or ".." in parts_of:
        return "is no path below the work dir"
    return None


def _task(entries: Entries, _: Defaults) -> Mapping[str, Any]:
    return {name: files(entries, name) for name in ("inputs", "outputs")}


_FILE: Final = parts({"key": WORDS, "file": WORDS}, ("key", "file"))
_FILES: Final = either(
    items(either(_FILE, WORDS), 0, MAX_FILES), {"type": "object", "additionalProperties": WORDS}
)
FAMILY: Final = Family(
    name="files",
    title="Inputs and outputs",
    text="Paths are relative to the work dir. A task waits for the task that creates its inputs.",
    task=_task,
    keys=(
        Key(
            name="inputs",
            at=TASKS,
            schema=_FILES,
            doc="Files that the task needs, each with a key. Each is an output of another task.",
            example="- {key: write, prompt: Write docs/plan.md, outputs: {plan: docs/plan.md}}\n"
            "- {key: read, prompt: Improve docs/plan.md, inputs: {plan: docs/plan.md}}",
        ),
        Key(
            name="outputs",
            at=TASKS,
            schema=_FILES,
            doc="Files that the task creates. The task is done only when they exist: until then "
            "an agent's report is refused, and a command without them fails.",
            example="- {key: wheel, run: python -m build, outputs: {log: dist/build.log}}",
        ),
    ),
)
