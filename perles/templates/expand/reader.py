"""A pipeline file with all that it includes: its tasks under their final keys."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from perles.config import yamlfile
from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.records import dataclass
from perles.domain.specs import TaskSpec
from perles.templates.arguments import Argument
from perles.templates.expand.cells import Made, made_of
from perles.templates.expand.fill import Known, filled
from perles.templates.expand.prefix import renamed
from perles.templates.keys import table
from perles.templates.keys.flow import last
from perles.templates.keys.includes import MAX_INCLUDES, Include, includes
from perles.templates.keys.key import At, Defaults, Entries
from perles.templates.keys.parameters import given_to, parameters
from perles.templates.keys.task_kinds import check_kind
from perles.templates.keys.top import MAX_TASKS
from perles.templates.outputs import references, value_variables
from perles.templates.values import Values, fill_values

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of a file: its scripts stand in it."""
MAX_EDGES: Final = 200_000
"""What all tasks together may wait for."""
MAX_KEPT: Final = 64 * 1024
"""Characters of a file whose document is kept at hand."""
IGNORED: Final = "x-"
_LATER: Final = ("tasks", "finally", "include", "parameters")
"""Keys at the top that are read with values of their own."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read."""

    path: Path
    root: Node
    sha256: str

    @classmethod
    def of(cls, path: Path, *, pipes: bool = False) -> "Source":
        """The file at a path. Raises `UsageError`."""
        text = yamlfile.read_text(path, MAX_BYTES, pipes=pipes)
        read = _read_again if len(text) <= MAX_KEPT else _read_again.__wrapped__
        return cls(path, *read(text, str(path)))


@lru_cache(maxsize=16)
def _read_again(text: str, source: str) -> tuple[Node, str]:
    """A text's document and its SHA-256: a program creates many workflows of the same file."""
    return yamlfile.parse(text, source), hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class Part:
    """The tasks of a file and of what it includes, in order, each with the place it comes from."""

    top: Entries
    above: Defaults
    arguments: tuple[Argument, ...] = ()
    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """The files, each with the SHA-256 of its text."""

    def add(self, task: TaskSpec, node: Node, groups: Collection[str] = ()) -> None:
        """One more task. Raises `UsageError` for a key that another one has."""
        if task.key in self.tasks:
            raise _key_of(node).error(f"two tasks have the key {task.key!r}; rename one")
        if len(self.tasks) >= MAX_TASKS:
            raise node.error(f"more than {MAX_TASKS} tasks are too many")
        self.tasks[task.key] = task
        self.nodes[task.key] = node
        for group in groups:
            self.groups.setdefault(group, []).append(task.key)


def read(
    source: Source,
    given: Mapping[str, str],
    chain: tuple[Path, ...] = (),
    *,
    sampled: bool = False,
) -> Part:
    """A file's tasks, with these values for its parameters. Raises `UsageError`."""
    entries = known_keys(source.root, At.FILE)
    if "tasks" not in entries and "include" not in entries:
        raise source.root.error("tasks is missing; a pipeline needs name and tasks")
    arguments = parameters(entries)
    values = given_to(arguments, given, str(source.path), sampled=sampled)
    args = {f"args.{name}": value for name, value in values.items()}
    rest = {name: one for name, one in entries.items() if name not in _LATER}
    top = filled(source.root.having(rest), Known(args), raw=()).mapping()
    above = table.defaults(top)
    part = Part(top, above, arguments, sources={str(source.path): source.sha256})
    if "include" in entries:
        whole = source.root.having({"include": entries["include"]})
        wanted = includes(filled(whole, Known(args), raw=()).mapping(), source.path.parent)
        for one in wanted:
            _include(part, one, (*chain, source.path.resolve()))
    own = entries["tasks"].items() if "tasks" in entries else []
    if "tasks" in entries and not own:
        raise entries["tasks"].error("a pipeline needs at least one task")
    added = [key for item in own for key in _add(part, item, args)]
    for item in entries["finally"].items() if "finally" in entries else ():
        added += _add(part, item, args, comes_last=True)
    _resolve(part, added)
    return part


def known_keys(node: Node, at: At) -> dict[str, Node]:
    """The keys that may stand there, without keys that have no effect. Raises `UsageError`."""
    entries = node.mapping()
    kept = {name: one for name, one in entries.items() if not name.startswith(IGNORED)}
    return node.having(kept).mapping(table.names(at))


def _add(part: Part, item: Node, args: Values, *, comes_last: bool = False) -> list[str]:
    """The tasks that one entry stands for; their keys."""
    entries = known_keys(item, At.TASK)
    found = []
    for made in made_of(item.having(entries), args):
        task = _task(made, part.above)
        task = last(task) if comes_last else task
        part.add(task, made.node, made.groups)
        found.append(task.key)
    return found


def _task(made: Made, above: Defaults) -> TaskSpec:
    entries = made.node.mapping()
    check_kind(made.node, entries)
    task = table.task(entries, above)
    values = made.values
    return replace(
        task,
        body=fill_values(task.body, values.get),
        env={**value_variables(task, values), **task.env},
        fan_out=made.fan_out,
        shares=made.shares,
    )


def _include(part: Part, wanted: Include, chain: tuple[Path, ...]) -> None:
    """Add the tasks of another file under their prefix."""
    path = wanted.path.resolve()
    if path in chain:
        shown = " -> ".join(str(one) for one in (*chain[chain.index(path) :], path))
        raise wanted.node.error(f"a file cannot include itself: {shown}")
    try:
        source = Source.of(wanted.path)
    except UsageError as error:
        if str(error).startswith("cannot read"):
            raise wanted.node.error(str(error)) from None
        raise
    try:
        inner = read(source, wanted.args, chain)
    except UsageError as error:
        if str(error).startswith(("cannot use argument", f"cannot use {source.path} without")):
            raise wanted.node.error(str(error)) from None
        raise
    part.sources |= inner.sources
    if len(part.sources) > MAX_INCLUDES:
        raise wanted.node.error(f"more than {MAX_INCLUDES} files are too many")
    dash = f"{wanted.prefix}-" if wanted.prefix else ""
    names = {key: dash + key for key in (*inner.tasks, *inner.groups)}
    for key, task in inner.tasks.items():
        found = renamed(task, names)
        if wanted.after and not task.after and not task.last:
            found = replace(found, after=wanted.after)
        is_of_group = wanted.prefix and not task.last
        part.add(found, inner.nodes[key], (wanted.prefix,) if is_of_group else ())
    for group, keys in inner.groups.items():
        part.groups.setdefault(names[group], []).extend(names[key] for key in keys)


def _resolve(part: Part, own: list[str]) -> None:
    """Write out what groups stand for, for the tasks that this file itself has or makes wait."""
    for group, keys in part.groups.items():
        if group in part.tasks:
            raise part.nodes[group].error(
                f"{group!r} stands for this task and for others, such as {keys[0]}; rename it"
            )
    edges = 0
    for key, task in part.tasks.items():
        after = dict.fromkeys(
            one for blocker in task.after for one in part.groups.get(blocker, (blocker,))
        )
        edges += len(after)
        if edges > MAX_EDGES:
            raise part.nodes[key].error(
                f"the tasks wait for more than {MAX_EDGES} others; put a task between two groups"
            )
        part.tasks[key] = replace(task, after=tuple(after))
    for key in own:
        _check_groups(part, key)


def _check_groups(part: Part, key: str) -> None:
    """No single output can be that of a group. Raises `UsageError`."""
    task, node = part.tasks[key], part.nodes[key]
    wanted = [name for name, _ in references(task.body or task.run or "")]
    if task.fan_out is not None:
        wanted.append(task.fan_out.task)
    for name in wanted:
        if name in part.groups:
            some = ", ".join(part.groups[name][:3])
            raise node.error(f"tasks.{name} stands for several tasks; name one of them: {some}")


def _key_of(node: Node) -> Node:
    return node.mapping().get("key", node)
