"""template.yaml: its shape, and how it is read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from perles import yamlfile
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.templates.pipeline import (
    command,
    environment,
    find_circle,
    positive_duration,
    short_text,
    task_key,
)
from perles.yamlfile import Node

ARGUMENT_TYPES: Final = ("text", "number", "textarea", "select", "multi-select")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """Something a template asks for."""

    key: str
    label: str
    type: str
    description: str = ""
    required: bool = False
    default: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNode:
    """A task of a template, before its arguments are filled in."""

    key: str
    name: str
    source: str
    run: str | None = None
    body_file: str | None = None
    assignee: str | None = None
    after: tuple[str, ...] = ()
    timeout: float | None = None
    retries: int = 0
    env: dict[str, str] = field(default_factory=dict)


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
    arguments: tuple[Argument, ...] = ()
    nodes: tuple[TaskNode, ...] = ()
    error: str | None = None


def read_templates(path: Path, source: str) -> list[Template]:
    """The templates of one template.yaml. Raises `UsageError` that names file, line and key."""
    root = yamlfile.read(path)
    registry = root.mapping().get("registry")
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
    key = task_key(entries["key"])
    return Template(
        key=key,
        source=source,
        path=path,
        name=short_text(entries["name"]) if "name" in entries else key,
        description=entries["description"].text() if "description" in entries else "",
        version=entries["version"].text(),
        labels=tuple(n.text() for n in entries["labels"].items()) if "labels" in entries else (),
        workers=entries["workers"].integer(1, 99) if "workers" in entries else 2,
        arguments=_arguments(entries.get("arguments")),
        nodes=_nodes(entries.get("nodes")),
    )


def _arguments(node: Node | None) -> tuple[Argument, ...]:
    found: dict[str, Argument] = {}
    for item in node.items() if node is not None and node.value is not None else []:
        entries = item.mapping()
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


def _nodes(node: Node | None) -> tuple[TaskNode, ...]:
    found: dict[str, TaskNode] = {}
    items = node.items() if node is not None and node.value is not None else []
    for item in items:
        read = _node(item)
        if read.key in found:
            raise item.error(f"two nodes have the key {read.key!r}; rename one")
        found[read.key] = read
    for item in items:
        key = item.mapping()["key"].text()
        for blocker in found[key].after:
            if blocker not in found:
                raise item.error(
                    f"{key} waits for {blocker!r}, which is no node's key{nearest(blocker, found)}"
                )
    circle = find_circle({key: read.after for key, read in found.items()})
    if circle and node is not None:
        raise node.error(f"nodes wait for each other: {' -> '.join(circle)}; remove one of these")
    return tuple(found.values())


def _node(item: Node) -> TaskNode:
    entries = item.mapping()
    if "key" not in entries:
        raise item.error("key is missing; a node needs one")
    key = task_key(entries["key"])
    return TaskNode(
        key=key,
        name=short_text(entries["name"]) if "name" in entries else key,
        source=item.where,
        run=command(entries["run"]) if "run" in entries else None,
        body_file=_inside(entries["template"]) if "template" in entries else None,
        assignee=entries["assignee"].text() if "assignee" in entries else None,
        after=tuple(n.text() for n in entries["after"].items()) if "after" in entries else (),
        timeout=positive_duration(entries["timeout"]) if "timeout" in entries else None,
        retries=entries["retries"].integer(0, 100) if "retries" in entries else 0,
        env=environment(entries["env"]) if "env" in entries else {},
    )


def _inside(node: Node) -> str:
    """A path that stays in the template's folder."""
    text = node.text()
    if Path(text).is_absolute() or ".." in text:
        raise node.error("must be a path inside the template's folder")
    return text


def broken(path: Path, source: str, error: UsageError) -> Template:
    """Stands for a template that cannot be used, so that it is seen and hides no other."""
    return Template(key=path.parent.name, source=source, path=path, error=str(error))
