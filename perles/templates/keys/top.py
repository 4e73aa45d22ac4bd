"""The keys at the top of a file: its name, how many workers, and who they are."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.provider_choice import AGENT_TYPES, split_choice
from perles.templates.keys.key import ALL, TASKS, TOPS, At, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import WORDS, items, parts, whole

MAX_TASKS: Final = 10_000
MAX_WORKERS: Final = 99
DEFAULT_WORKERS: Final = 2
_ABOUT_AGENTS: Final = ("worker", "provider", "model", "role")


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


def is_for_agent(entries: Entries) -> bool:
    """Whether an agent does the task: it has a prompt, or a file with one."""
    if "assignee" in entries and entries["assignee"].text() == "human":
        return False
    return "prompt" in entries or "template" in entries


def _task(entries: Entries, above: Defaults) -> Mapping[str, Any]:
    if not is_for_agent(entries):
        for name in _ABOUT_AGENTS:
            if name in entries:
                raise entries[name].error("is for tasks of agents; use a task with a prompt")
        return {"worker": None}
    if "provider" not in entries and "model" in entries:
        raise entries["model"].error("needs provider, too")
    if "provider" not in entries:
        return {"worker": choice(entries["worker"]) if "worker" in entries else above.worker}
    if "worker" in entries:
        raise entries["worker"].error("repeats provider and model; remove one of them")
    provider = choice(entries["provider"])
    if "model" not in entries:
        return {"worker": provider}
    return {"worker": choice(entries["model"].having(f"{provider}:{_model(entries)}"))}


def _model(entries: Entries) -> str:
    if ":" in entries["provider"].text():
        raise entries["model"].error("is set by provider, too; remove one of them")
    return entries["model"].text()


def _execution(entries: Entries, _: Defaults) -> Mapping[str, Any]:
    return {"role": entries["role"].word(AGENT_TYPES) if "role" in entries else ""}


FAMILY: Final = Family(
    name="top",
    title="The file",
    defaults=_defaults,
    task=_task,
    execution=_execution,
    keys=(
        Key(
            name="name",
            at=ALL,
            schema={"type": ["string", "number"]},
            doc="The name of the workflow or of the task (default: the task's key). One line of "
            "at most 200 characters.",
            example="- {key: unit, name: Unit tests, run: pytest -q}",
        ),
        Key(
            name="workers",
            at=TOPS,
            schema=whole(1, MAX_WORKERS),
            doc=f"How many tasks run at the same time (default {DEFAULT_WORKERS}).",
            example="workers: 4",
        ),
        Key(
            name="worker",
            at=At.FILE | TASKS,
            schema=WORDS,
            doc="The agent for tasks with a `prompt`: a provider, or `provider:model`.",
            example="- {key: notes, prompt: Write NOTES.md, worker: 'claude:sonnet'}",
        ),
        Key(
            name="provider",
            at=TASKS,
            schema=WORDS,
            doc="The provider of the task's agent: `worker` without the model.",
            example="- {key: notes, prompt: Write NOTES.md, provider: claude, model: sonnet}",
        ),
        Key(
            name="model",
            at=TASKS,
            schema=WORDS,
            doc="The model of `provider`.",
            example="- {key: notes, prompt: Write NOTES.md, provider: claude, model: sonnet}",
        ),
        Key(
            name="role",
            at=TASKS,
            schema={"enum": list(AGENT_TYPES)},
            doc="The type of worker for the task. It sets the worker's instructions; `roles` "
            "maps it to a provider.",
            example="- {key: find, prompt: Find what calls the parser, role: researcher}",
        ),
        Key(
            name="roles",
            at=TOPS,
            schema=parts(dict.fromkeys(("observer", *AGENT_TYPES), WORDS)),
            doc="The provider of the observer and of each type of worker.",
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
