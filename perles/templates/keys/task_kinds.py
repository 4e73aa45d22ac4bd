"""The keys that say what a task is: a command, work for an agent, or a question to a person."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import WORDS, either, items, one_or_more
from perles.templates.keys.texts import MAX_COMMANDS, prompt, short_text, task_key


def check_kind(item: Node, entries: Entries) -> None:
    """Refuse a task of a pipeline that is nothing, or two things at once. Raises `UsageError`."""
    if "key" not in entries:
        raise item.error("key is missing; a task needs key and run, or key and prompt")
    if "assignee" in entries:
        entries["assignee"].word(["human"])
        for other in ("run", "prompt", "worker", "provider", "model", "role"):
            if other in entries:
                raise entries[other].error("is not for a task with assignee: human")
        return
    if "question" in entries:
        raise entries["question"].error("is for tasks with assignee: human")
    if ("run" in entries) == ("prompt" in entries):
        raise item.error("a task needs either run, a command, or prompt, work for an AI agent")
    if "worker" in entries and "prompt" not in entries:
        raise entries["worker"].error("is for tasks with a prompt; this one runs a command")
    if "prompt" in entries and "env" in entries:
        raise entries["env"].error("is for commands; an agent has the environment of its provider")


def _task(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    key = task_key(entries["key"])
    return {
        "key": key,
        "name": short_text(entries["name"]) if "name" in entries else key,
        "assignee": entries["assignee"].text() if "assignee" in entries else None,
        "body": next((prompt(entries[k]) for k in ("question", "prompt") if k in entries), ""),
        "after": _after(entries["after"]) if "after" in entries else (),
    }


def _after(node: Node) -> tuple[str, ...]:
    """The keys that a task waits for; one alone may stand without brackets."""
    if isinstance(node.value, str):
        return (node.value,)
    return tuple(dict.fromkeys(item.text() for item in node.items()))


FAMILY: Final = Family(
    name="kinds",
    title="Tasks",
    task=_task,
    keys=(
        Key(
            name="key",
            at=TASKS,
            schema={"type": ["string", "integer"], "maxLength": 200},
            doc="The name of the task for other tasks and commands: lower-case letters, digits, "
            "`-` and `_`.",
            example="- {key: lint, run: ruff check .}",
        ),
        Key(
            name="run",
            at=TASKS,
            schema=one_or_more(WORDS, MAX_COMMANDS),
            doc="A command, a script of several lines, or a list of commands. The first command "
            "that fails ends it. A first line `#!…` selects the interpreter.",
            example="- key: wheel\n  run: |\n    python -m build\n    twine check dist/*",
        ),
        Key(
            name="prompt",
            at=TASKS,
            schema=WORDS,
            doc="The instructions for an AI agent.",
            example="- {key: notes, prompt: Write NOTES.md about the last release}",
        ),
        Key(
            name="assignee",
            at=TASKS,
            schema=WORDS,
            doc="`human`: a person decides, with `perles approve` or `perles deny`.",
            example="- {key: ok, assignee: human, question: 'Is it good?'}",
        ),
        Key(
            name="question",
            at=TASKS,
            schema=WORDS,
            doc="The question to the person, for tasks with `assignee: human`.",
            example="- {key: ok, assignee: human, question: 'Is it good?'}",
        ),
        Key(
            name="after",
            at=TASKS,
            schema=either(WORDS, items(WORDS)),
            doc="The keys of the tasks that must end first.",
            example="- {key: lint, run: ruff check .}\n- {key: unit, run: pytest -q, after: lint}",
        ),
    ),
)
