"""The keys at the top of a file: its name, how many workers, and who they are."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.provider_choice import AGENT_TYPES, split_choice
from perles.templates.keys.key import ALL, TOPS, At, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import WORDS, items, parts, whole

MAX_TASKS: Final = 10_000
MAX_WORKERS: Final = 99
DEFAULT_WORKERS: Final = 2


def choice(node: Node) -> str:
    """A provider, or provider:model."""
    try:
        split_choice(node.text())
    except UsageError as error:
        raise node.error(str(error)) from None
    return node.text()


def roles(entries: Entries) -> dict[str, str]:
    """Who is the observer, and who the workers of a type are: provider, or provider:model."""
    if "roles" not in entries:
        return {}
    known = ("observer", *AGENT_TYPES)
    return {name: choice(one) for name, one in entries["roles"].mapping(known).items()}


def workers(entries: Entries) -> int:
    """How many tasks run side by side."""
    return entries["workers"].integer(1, MAX_WORKERS) if "workers" in entries else DEFAULT_WORKERS


def _defaults(entries: Entries) -> Mapping[str, Any]:
    return {"worker": choice(entries["worker"])} if "worker" in entries else {}


def _task(entries: Entries, above: Defaults) -> Mapping[str, Any]:
    if "prompt" not in entries:
        return {"worker": None}
    return {"worker": choice(entries["worker"]) if "worker" in entries else above.worker}


FAMILY: Final = Family(
    name="top",
    title="The file",
    defaults=_defaults,
    task=_task,
    keys=(
        Key(
            name="name",
            at=ALL,
            schema={"type": ["string", "number"]},
            doc="What the workflow is called; at a task: what it is called (default: its key). "
            "One line of at most 200 characters.",
            example="- {key: unit, name: Unit tests, run: pytest -q}",
        ),
        Key(
            name="workers",
            at=TOPS,
            schema=whole(1, MAX_WORKERS),
            doc=f"How many tasks run side by side; {DEFAULT_WORKERS} unless said otherwise.",
            example="workers: 4",
        ),
        Key(
            name="worker",
            at=At.FILE | At.TASK,
            schema=WORDS,
            doc="Who does tasks with a `prompt`: a provider, or `provider:model`.",
            example="- {key: notes, prompt: Write NOTES.md, worker: 'claude:sonnet'}",
        ),
        Key(
            name="roles",
            at=TOPS,
            schema=parts(dict.fromkeys(("observer", *AGENT_TYPES), WORDS)),
            doc="Who is the observer, and who the workers of each type are.",
            example="roles: {observer: claude:haiku}",
        ),
        Key(
            name="tasks",
            at=At.FILE,
            schema=items({"$ref": "#/$defs/task"}, 1, MAX_TASKS),
            doc=f"The tasks, 1 to {MAX_TASKS}.",
            example="- {key: lint, run: ruff check .}",
        ),
    ),
)
