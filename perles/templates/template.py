"""template.yaml: its shape, and how it is read."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from perles.config import yamlfile
from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.execution import Execution
from perles.domain.nearest import nearest
from perles.domain.specs import TaskSpec, Worktree
from perles.templates.arguments import Argument
from perles.templates.graph import check_conditions, check_order, find_circle
from perles.templates.keys import table
from perles.templates.keys.flow import last
from perles.templates.keys.key import At, Defaults, Entries
from perles.templates.keys.merge import merge
from perles.templates.keys.texts import short_text, task_key
from perles.templates.keys.top import roles, workers
from perles.templates.keys.worktree import worktree

_TEMPLATE_KEYS: Final = (
    *("namespace", "key", "version", "description", "labels"),
    *table.names(At.TEMPLATE),
    *("arguments", "nodes", "epic_template", "system_prompt", "path", "template", "instructions"),
)
_FILE_KEYS: Final = ("epic_template", "system_prompt", "template", "instructions")
_ARGUMENT_KEYS: Final = ("key", "label", "type", "description", "required", "default", "options")
_NODE_KEYS: Final = (*table.names(At.NODE), "template", "inputs", "outputs")
_WITHOUT_EFFECT: Final = (*_FILE_KEYS, "path")
_ASSIGNEE: Final = re.compile(r"human|worker-[1-9][0-9]?")
ARGUMENT_TYPES: Final = ("text", "number", "textarea", "select", "multi-select")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNode:
    """A task of a template, before its arguments are filled in; `body_file` says what to do."""

    task: TaskSpec
    source: str
    body_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that was found. `error` is set, and the rest empty, where it cannot be used."""

    key: str
    source: str
    path: Path
    name: str = ""
    description: str = ""
    version: str = ""
    labels: tuple[str, ...] = ()
    workers: int = 2
    roles: dict[str, str] = field(default_factory=dict)
    worktree: Worktree | None = None
    merge: Execution | None = None
    arguments: tuple[Argument, ...] = ()
    nodes: tuple[TaskNode, ...] = ()
    error: str | None = None
    ignored: tuple[str, ...] = ()
    """`file:line: key` of what is accepted and has no effect."""


def read_templates(path: Path, source: str) -> list[Template]:
    """The templates of one template.yaml. Raises `UsageError` that names file, line and key."""
    root = yamlfile.read(path)
    registry = root.mapping(("registry",)).get("registry")
    if registry is None:
        raise root.error("registry is missing; a template file is a list of templates under it")
    found = [_template(item, path, source) for item in registry.items()]
    return [template for template in found if template is not None]


def _template(item: Node, path: Path, source: str) -> Template | None:
    entries = item.mapping()
    for needed in ("namespace", "key", "version"):
        if needed not in entries:
            raise item.error(f"{needed} is missing; a template needs namespace, key and version")
    if entries["namespace"].text() != "workflow":
        return None
    item.mapping(_TEMPLATE_KEYS)
    for name in _FILE_KEYS:
        if name in entries:
            _file(entries[name], path.parent)
    key, above = task_key(entries["key"]), table.defaults(entries)
    return Template(
        key=key,
        source=source,
        ignored=tuple(f"{entries[k].where}: {k}" for k in _WITHOUT_EFFECT if k in entries),
        path=path,
        name=short_text(entries["name"]) if "name" in entries else key,
        description=entries["description"].text() if "description" in entries else "",
        version=entries["version"].text(),
        labels=tuple(n.text() for n in entries["labels"].items()) if "labels" in entries else (),
        workers=workers(entries),
        roles=roles(entries),
        worktree=worktree(entries),
        merge=merge(entries, above),
        arguments=_arguments(entries.get("arguments")),
        nodes=_nodes(entries, path.parent, above),
    )


def _arguments(node: Node | None) -> tuple[Argument, ...]:
    found: dict[str, Argument] = {}
    for item in _items(node):
        entries = item.mapping(_ARGUMENT_KEYS)
        for needed in ("key", "label", "type"):
            if needed not in entries:
                raise item.error(f"{needed} is missing; an argument needs key, label and type")
        key = entries["key"].text()
        if key in found:
            raise entries["key"].error(f"two arguments have the key {key!r}; rename one")
        kind = entries["type"].word(ARGUMENT_TYPES)
        options = (
            tuple(n.text() for n in entries["options"].items()) if "options" in entries else ()
        )
        if kind in ("select", "multi-select") and not options:
            raise item.error(f"options are missing; a {kind} argument needs some")
        found[key] = Argument(
            key=key,
            label=entries["label"].text(),
            type=kind,
            description=entries["description"].text() if "description" in entries else "",
            required=entries["required"].boolean() if "required" in entries else False,
            default=entries["default"].text() if "default" in entries else "",
            options=options,
        )
    return tuple(found.values())


def _nodes(entries: Entries, folder: Path, above: Defaults) -> tuple[TaskNode, ...]:
    """All nodes, those under `finally` at the end."""
    found: dict[str, TaskNode] = {}
    places: dict[str, Node] = {}
    for name in ("nodes", "finally"):
        for item in _items(entries.get(name)):
            read = _node(item, folder, above)
            key = read.task.key
            if key in found:
                raise item.error(f"two nodes have the key {key!r}; rename one")
            found[key] = replace(read, task=last(read.task)) if name == "finally" else read
            places[key] = item
    tasks = {key: read.task for key, read in found.items()}
    for key, task in tasks.items():
        for blocker in task.after:
            if blocker not in found:
                raise places[key].error(
                    f"{key} waits for {blocker!r}, which is no node's key{nearest(blocker, found)}"
                )
    circle = find_circle({key: task.after for key, task in tasks.items()})
    if circle:
        raise entries["nodes"].error(
            f"nodes wait for each other: {' -> '.join(circle)}; remove one of these"
        )
    check_order(places, tasks)
    arguments = [item.mapping()["key"].text() for item in _items(entries.get("arguments"))]
    check_conditions(places, tasks, arguments)
    return tuple(found.values())


def _items(node: Node | None) -> list[Node]:
    return node.items() if node is not None and node.value is not None else []


def _node(item: Node, folder: Path, above: Defaults) -> TaskNode:
    entries = item.mapping(_NODE_KEYS)
    if "key" not in entries:
        raise item.error("key is missing; a node needs one")
    _check_kind(item, entries)
    return TaskNode(
        task=table.task(entries, above),
        source=item.where,
        body_file=_file(entries["template"], folder) if "template" in entries else None,
    )


def _check_kind(item: Node, entries: dict[str, Node]) -> None:
    """A node is a command, a text for an agent, or a question to a person."""
    human = "assignee" in entries and entries["assignee"].text() == "human"
    if "assignee" in entries and not _ASSIGNEE.fullmatch(entries["assignee"].text()):
        raise entries["assignee"].error("must be human, or worker-1 to worker-99")
    if human and "run" in entries:
        raise entries["run"].error("is not for a node with assignee: human")
    if "run" in entries and "template" in entries:
        raise entries["template"].error("is not for a node with run, a command")
    if not human and "run" not in entries and "template" not in entries:
        raise item.error("a node needs run, a command, or template, a file that says what to do")


def _file(node: Node, folder: Path) -> str:
    """A path that stays in the template's folder, of a file that is there."""
    text = node.text()
    if Path(text).is_absolute() or ".." in text:
        raise node.error("must be a path inside the template's folder")
    if not (folder / text).is_file():
        raise node.error(f"there is no file {text!r} in {folder}; add it, or correct the name")
    return text


def broken(path: Path, source: str, error: UsageError) -> Template:
    """Stands for a template that cannot be used, so that it is seen and hides no other."""
    return Template(key=path.parent.name, source=source, path=path, error=str(error))
