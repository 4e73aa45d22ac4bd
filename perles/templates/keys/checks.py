"""check: what decides whether an agent's task is done."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.execution import Check
from perles.templates.keys import texts
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import DURATION, WORDS, either, one_or_more, parts

MAX_COMMANDS: Final = 20
_KEYS: Final = ("run", "timeout")


def check(entries: Entries) -> Check | None:
    """The check of a task: a command, a list of them, or run and timeout. Raises `UsageError`."""
    node = entries.get("check")
    if node is None:
        return None
    if "prompt" not in entries and "template" not in entries:
        raise node.error("is for tasks of agents; a command is checked by its own exit code")
    if not isinstance(node.value, dict):
        return commands_that_pass(node, None)
    given = node.mapping(_KEYS)
    if "run" not in given:
        raise node.error("run is missing; give the command that must pass")
    return commands_that_pass(given["run"], given.get("timeout"))


def commands_that_pass(commands: Node, timeout: Node | None) -> Check:
    """A command or a list of them, and how long they may take together. Raises `UsageError`."""
    if timeout is None:
        return Check(commands=_commands(commands))
    seconds = timeout.positive_duration()
    return Check(commands=_commands(commands), timeout=seconds)


def _commands(node: Node) -> tuple[str, ...]:
    items = texts.one_or_more(node)
    if not items or len(items) > MAX_COMMANDS:
        raise node.error(f"needs 1 to {MAX_COMMANDS} commands")
    for item in items:
        if not item.text().strip():
            raise item.error("is empty; give a command that must pass")
        if "{{" in item.text():
            raise item.error("cannot have {{ … }}; let the command read files")
    return tuple(item.text() for item in items)


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"check": check(entries)}


COMMANDS: Final = one_or_more(WORDS, MAX_COMMANDS)
FAMILY: Final = Family(
    name="checks",
    title="When an agent's task is done",
    execution=_execution,
    keys=(
        Key(
            name="check",
            at=TASKS,
            schema=either(COMMANDS, parts({"run": COMMANDS, "timeout": DURATION}, ("run",))),
            doc="Commands that must pass before an agent's task is done. If one fails, the "
            "agent gets its output and continues, up to `retries` times.",
            example="- {key: fix, prompt: Make the tests pass, check: pytest -q, retries: 3}",
        ),
    ),
)
