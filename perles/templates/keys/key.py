"""What a key of a pipeline file or template is: where it may stand, its shape, and what it does."""

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Flag, auto
from typing import Any, Final, TypeAlias

from perles.config.yamlfile import Node
from perles.domain.records import dataclass

Entries: TypeAlias = Mapping[str, Node]
"""The keys that stand at a task, or at the top of a file, with their values."""


class At(Flag):
    """Where a key may stand."""

    FILE = auto()
    TASK = auto()
    TEMPLATE = auto()
    NODE = auto()


TOPS: Final = At.FILE | At.TEMPLATE
TASKS: Final = At.TASK | At.NODE
ALL: Final = TOPS | TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key. `schema` is the JSON Schema of its value, as it stands in a file.

    `example` is YAML: a list of tasks for a key of tasks, otherwise lines at the top of a file.
    A key that is for `commands_only` is refused at a task without `run`.
    """

    name: str
    at: At
    schema: Mapping[str, Any]
    doc: str
    example: str
    commands_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a file says for all of its tasks; `shell` is () where it does not say."""

    env: Mapping[str, str] = field(default_factory=dict)
    worker: str | None = None
    shell: tuple[str, ...] = ()
    strict: bool = False
    dir: str = ""
    dotenv: tuple[tuple[str, str], ...] = ()
    unset: tuple[str, ...] = ()
    secrets: Mapping[str, Any] = field(default_factory=dict)


Reader: TypeAlias = Callable[[Entries, Defaults], Mapping[str, Any]]
"""Reads the keys of a task to fields by name. Raises `UsageError` that names file, line and key."""
TopReader: TypeAlias = Callable[[Entries], Mapping[str, Any]]
"""Reads the keys at the top of a file to fields of `Defaults` by name. Raises `UsageError`."""


def _nothing(*_: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Keys that belong together. What is to be said of them beside is `text`, in Markdown, and
    what stands in `tests/pipeline_docs`, under the `name` of their module.

    `task` reads fields of a `TaskSpec`, `execution` fields of its `Execution`, and `defaults`
    fields of `Defaults`. Each is asked for every task or file, whether such keys stand there or
    not.
    """

    title: str
    keys: tuple[Key, ...]
    name: str = ""
    text: str = ""
    task: Reader = field(default=_nothing)
    execution: Reader = field(default=_nothing)
    defaults: TopReader = field(default=_nothing)
