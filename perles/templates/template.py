"""What a template is, once it is read."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.execution import Execution
from perles.domain.records import dataclass
from perles.domain.specs import TaskSpec, Worktree
from perles.templates.arguments import Argument

EPIC: Final = "epic_id"
"""The only argument of a template whose tasks are an epic that is there already."""
DOCUMENTS: Final = "docs/proposals"
"""Where documents lie, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNode:
    """A task of a template, before its arguments are filled in; `body_file` says what to do.

    One of several that a node stands for has `values` for the texts of `run` and `body_file`, and
    the names, in `groups`, that stand for it and others.
    """

    task: TaskSpec
    source: str
    body_file: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksFrom:
    """Tasks that an argument's file lists: each is as `pattern`, beside what the file says.

    Where `only` names an argument that is given, only the tasks of that epic are taken.
    """

    argument: str
    pattern: TaskSpec
    only: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that was found. `error` is set, and the rest empty, where it cannot be used.

    `epic` and `system_prompt` are files that tell the coordinator what the workflow is about, and
    how to lead it. `prefix` is the folder of the files that tasks hand on. `cost`
    and `example` are told to people.
    """

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
    needs_one_of: tuple[str, ...] = ()
    nodes: tuple[TaskNode, ...] = ()
    tasks_from: TasksFrom | None = None
    epic: Path | None = None
    system_prompt: Path | None = None
    prefix: str = ""
    cost: str = ""
    example: str = ""
    error: str | None = None
    ignored: tuple[str, ...] = ()
    """`file:line: key` of what is accepted and has no effect."""

    @property
    def is_epic_driven(self) -> bool:
        """Whether its tasks are those of an epic that somebody else keeps."""
        return not self.nodes and [argument.key for argument in self.arguments] == [EPIC]


def broken(path: Path, source: str, error: UsageError, key: str | None = None) -> Template:
    """Stands for a template that cannot be used, so that it is seen and hides no other."""
    return Template(key=key or path.parent.name, source=source, path=path, error=str(error))
