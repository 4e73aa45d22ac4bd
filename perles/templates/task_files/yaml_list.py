"""Tasks as YAML: a list, or a mapping with a list under `tasks`.

Each is a title, or has title, body and what a task of a pipeline file may say beside.
"""

from dataclasses import fields
from typing import Any, Final

from perles.config import yamlfile
from perles.config.yamlfile import Node
from perles.domain.specs import TaskSpec
from perles.templates.keys import table
from perles.templates.keys.key import At, Defaults
from perles.templates.lenient import is_yes, listed, text_of
from perles.templates.task_files.item import Item

_TITLES: Final = ("title", "name")
_BODIES: Final = ("body", "description", "prompt")
_OWN: Final = ("key", "id", "after", "done", "status", *_TITLES, *_BODIES)
_NOT_HERE: Final = ("run", "question", "assignee", "inputs", "key", "name", "prompt", "after")
_DONE: Final = ("done", "closed", "skipped")
_FOR_EPIC: Final = ("name", "title", "description", "goal")
"""What may stand beside the list."""


def read(text: str, source: str) -> list[Item]:
    """The tasks. Raises `UsageError` that names file and line."""
    root = yamlfile.parse(text, source)
    if isinstance(root.value, str) or root.value in (None, {}):
        raise root.error(
            "no tasks found: it must be a checklist in Markdown (- [ ] title), a list in YAML "
            "(- title: …), issues of GitHub in JSON, or an export of beads"
        )
    items = root if isinstance(root.value, list) else _of_mapping(root)
    return [_item(node) for node in listed(items)]


def _of_mapping(root: Node) -> Node:
    entries = root.mapping(("tasks", *_FOR_EPIC))
    if "tasks" not in entries:
        raise root.error("tasks is missing; list the tasks under it")
    return entries["tasks"]


def _item(node: Node) -> Item:
    if isinstance(node.value, str):
        return Item(where=node.where, title=node.text())
    known = [name for name in table.names(At.TASK) if name not in _NOT_HERE]
    entries = node.mapping((*_OWN, *known))
    title = next((text_of(entries, name) for name in _TITLES if text_of(entries, name)), "")
    bodies = [text_of(entries, name) for name in _BODIES if text_of(entries, name)]
    name = text_of(entries, "key") or text_of(entries, "id")
    if not title and not name:
        raise node.error("title is missing; a task needs one")
    return Item(
        where=node.where,
        title=title or name,
        body="\n\n".join(bodies),
        name=name,
        after=_after(entries.get("after")),
        done=_is_done(entries),
        more=_more(node, entries, known),
    )


def _after(node: Node | None) -> list[str]:
    if node is not None and isinstance(node.value, str):
        return [node.value]
    return [item.text() for item in listed(node)]


def _is_done(entries: dict[str, Node]) -> bool:
    if "done" in entries:
        return is_yes(entries["done"])
    return text_of(entries, "status") in _DONE


def _more(node: Node, entries: dict[str, Node], known: list[str]) -> dict[str, Any]:
    """The fields of a task that its keys say, beside the fields of every task of a file."""
    given = {name: one for name, one in entries.items() if name in known}
    if not given:
        return {}
    place = Node("pattern", node.source, node.line)
    task = table.task({"key": place, "prompt": place, **given}, Defaults())
    own = ("key", "name", "body", "after", "run", "assignee")
    plain = TaskSpec(key="pattern", name="pattern", body="pattern")
    return {
        one.name: getattr(task, one.name)
        for one in fields(task)
        if one.name not in own and getattr(task, one.name) != getattr(plain, one.name)
    }
