"""template.yaml: how it is read."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from perles.config import yamlfile
from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.slug import slug
from perles.templates.arguments import Argument
from perles.templates.keys import table
from perles.templates.keys.key import Entries
from perles.templates.keys.merge import merge
from perles.templates.keys.texts import KEY
from perles.templates.keys.top import DEFAULT_WORKERS, MAX_WORKERS, roles, workers
from perles.templates.keys.worktree import worktree
from perles.templates.lenient import (
    ARGUMENT_KEYS,
    TEMPLATE_KEYS,
    Unknown,
    as_name,
    is_yes,
    listed,
    text_of,
)
from perles.templates.task_files.read import PLAIN
from perles.templates.task_nodes import nodes, pattern
from perles.templates.template import EPIC, TaskNode, TasksFrom, Template, broken
from perles.templates.template_paths import locate

ARGUMENT_TYPES: Final = ("text", "number", "textarea", "select", "multi-select")
OUR_TYPES: Final = ("file", "boolean")
NAMESPACE: Final = "workflow"
BUILTIN: Final = "builtin"
"""The source of templates that come with Perles: one of them takes its tasks from a file."""
DEFAULT_PROMPT: Final = "v1-epic-instructions.md"
"""The file that tells coordinators how to lead, where a template names none."""
_OLD_NAMES: Final = (("template", "epic_template"), ("instructions", "system_prompt"))
"""Keys that an older description of templates taught, and what they are called."""


def read_templates(path: Path, source: str, root: Path | None = None) -> list[Template]:
    """The templates of one template.yaml. Raises `UsageError` that names file, line and key.

    `root` is the folder of all templates of this source.
    """
    items, ignored = registrations(path)
    found = [read(item, path, source, root) for item in items]
    return [replace(one, ignored=(*ignored, *one.ignored)) for one in found]


def read_what_can_be(path: Path, source: str, root: Path) -> list[Template]:
    """The same; what cannot be used is in the list with its error, and hides no other."""
    try:
        items, ignored = registrations(path)
    except UsageError as error:
        return [broken(path, source, error)]
    found = []
    for item in items:
        try:
            one = read(item, path, source, root)
            found.append(replace(one, ignored=(*ignored, *one.ignored)) if ignored else one)
        except UsageError as error:
            found.append(broken(path, source, error, _key(item)))
    return found


def registrations(path: Path) -> tuple[list[Node], list[str]]:
    """The workflows that a file registers, and keys beside them. Raises `UsageError`."""
    root = yamlfile.read(path)
    entries = root.mapping()
    if "registry" not in entries:
        raise root.error("registry is missing; a template file is a list of templates under it")
    ignored = [f"{node.where}: {name}: unknown key" for name, node in entries.items()]
    items = [item for item in listed(entries["registry"]) if _is_workflow(item)]
    return items, [line for line, name in zip(ignored, entries, strict=True) if name != "registry"]


def _is_workflow(item: Node) -> bool:
    entries = item.mapping()
    return text_of(entries, "namespace", NAMESPACE) == NAMESPACE


def _key(item: Node) -> str | None:
    value = item.mapping().get("key")
    written = value.value if value is not None else None
    return slug(written) or None if isinstance(written, str) else None


def read(item: Node, path: Path, source: str, root: Path | None = None) -> Template:
    """One registration. Raises `UsageError` that names file, line and key."""
    unknown = Unknown(item)
    entries = unknown.entries(item, TEMPLATE_KEYS)
    for needed in ("namespace", "key", "version"):
        if not text_of(entries, needed).strip():
            raise item.error(f"{needed} is missing; a template needs namespace, key and version")
    _rename_old(entries, unknown)
    folder, root = path.parent, root or path.parent
    written = text_of(entries, "key")
    key = written if KEY.fullmatch(written) else slug(written)
    if not key:
        raise entries["key"].error(f"{written[:60]!r} is no key; use letters, digits and -")
    arguments = _arguments(entries.get("arguments"), unknown)
    found = nodes(entries, folder, root, unknown)
    tasks_from = _tasks_from(entries, arguments)
    is_epic_driven = not found and [argument.key for argument in arguments] == [EPIC]
    if not found and tasks_from is None and not is_epic_driven and source != BUILTIN:
        raise item.error("it has no nodes: a chain must have at least one node")
    return Template(
        key=key,
        source=source,
        path=path,
        name=as_name(entries["name"]).text() if text_of(entries, "name").strip() else key,
        description=text_of(entries, "description"),
        version=text_of(entries, "version"),
        labels=tuple(label.text() for label in listed(entries.get("labels"))),
        workers=_workers(entries, found),
        roles=roles(entries),
        worktree=worktree(entries),
        merge=merge(entries, table.defaults(entries)),
        arguments=arguments,
        needs_one_of=_needs_one_of(entries, arguments),
        nodes=found,
        tasks_from=tasks_from,
        epic=_file(entries, "epic_template", folder, root),
        system_prompt=_system_prompt(entries, found, folder, root),
        prefix=text_of(entries, "path").strip("/"),
        cost=text_of(entries, "cost"),
        example=text_of(entries, "example"),
        ignored=tuple(unknown.ignored),
    )


def _rename_old(entries: dict[str, Node], unknown: Unknown) -> None:
    for old, new in _OLD_NAMES:
        if old in entries and new not in entries:
            entries[new] = entries[old]
        elif old in entries:
            unknown.ignored.append(f"{entries[old].where}: {entries[old].key}: {new} is there, too")


def _file(entries: Entries, name: str, folder: Path, root: Path) -> Path | None:
    return locate(entries[name], folder, root) if text_of(entries, name) else None


def _system_prompt(
    entries: Entries, found: tuple[TaskNode, ...], folder: Path, root: Path
) -> Path | None:
    """The file that tells how to lead; by its usual name where workers are named."""
    named = _file(entries, "system_prompt", folder, root)
    if named is not None or not any(node.task.assignee for node in found):
        return named
    usual = [place / DEFAULT_PROMPT for place in (folder, root)]
    return next((path for path in usual if path.is_file() and not path.is_symlink()), None)


def _workers(entries: Entries, found: tuple[TaskNode, ...]) -> int:
    """How many work side by side: as it says, or as many as its nodes name."""
    if "workers" in entries:
        return workers(entries)
    named = {node.task.assignee for node in found} - {None, "human"}
    return min(max(DEFAULT_WORKERS, len(named)), MAX_WORKERS)


def _arguments(node: Node | None, unknown: Unknown) -> tuple[Argument, ...]:
    found: dict[str, Argument] = {}
    for item in listed(node):
        entries = unknown.entries(item, ARGUMENT_KEYS)
        for needed in ("key", "label", "type"):
            if not text_of(entries, needed).strip():
                raise item.error(f"{needed} is missing; an argument needs key, label and type")
        key = entries["key"].text()
        if key in found:
            raise entries["key"].error(f"two arguments have the key {key!r}; rename one")
        kind = entries["type"].word((*ARGUMENT_TYPES, *OUR_TYPES))
        options = tuple(option.text() for option in listed(entries.get("options")))
        if kind in ("select", "multi-select") and not options:
            raise item.error(f"options are missing; a {kind} argument needs some")
        found[key] = Argument(
            key=key,
            label=entries["label"].text(),
            type=kind,
            description=text_of(entries, "description"),
            required=is_yes(entries["required"]) if text_of(entries, "required") else False,
            default=text_of(entries, "default"),
            options=options if kind in ("select", "multi-select") else (),
        )
    return tuple(found.values())


def _tasks_from(entries: Entries, arguments: tuple[Argument, ...]) -> TasksFrom | None:
    if "tasks_from" not in entries:
        return None
    parts = entries["tasks_from"].mapping(("argument", "only", "task"))
    if "argument" not in parts:
        raise entries["tasks_from"].error("argument is missing; say which one names the file")
    known = [argument.key for argument in arguments]
    task = pattern(parts["task"], table.defaults(entries)) if "task" in parts else PLAIN
    return TasksFrom(
        argument=parts["argument"].word(known),
        pattern=task,
        only=parts["only"].word(known) if "only" in parts else "",
    )


def _needs_one_of(entries: Entries, arguments: tuple[Argument, ...]) -> tuple[str, ...]:
    known = [argument.key for argument in arguments]
    return tuple(item.word(known) for item in listed(entries.get("needs_one_of")))
