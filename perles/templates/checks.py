"""check: what decides whether an agent's task is done."""

from collections.abc import Mapping
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.execution import Check

MAX_COMMANDS: Final = 20
_KEYS: Final = ("run", "timeout")


def check(entries: Mapping[str, Node]) -> Check | None:
    """The check of a task: a command, a list of them, or run and timeout. Raises `UsageError`."""
    node = entries.get("check")
    if node is None:
        return None
    if "prompt" not in entries and "template" not in entries:
        raise node.error("is for tasks of agents; a command is checked by its own exit code")
    if not isinstance(node.value, dict):
        return Check(commands=_commands(node))
    parts = node.mapping(_KEYS)
    if "run" not in parts:
        raise node.error("run is missing; give the command that must pass")
    if "timeout" not in parts:
        return Check(commands=_commands(parts["run"]))
    seconds = parts["timeout"].duration()
    if seconds <= 0:
        raise parts["timeout"].error("must be above 0")
    return Check(commands=_commands(parts["run"]), timeout=seconds)


def _commands(node: Node) -> tuple[str, ...]:
    items = node.items() if isinstance(node.value, list) else [node]
    if not items or len(items) > MAX_COMMANDS:
        raise node.error(f"needs 1 to {MAX_COMMANDS} commands")
    for item in items:
        if not item.text().strip():
            raise item.error("is empty; give a command that must pass")
        if "{{" in item.text():
            raise item.error("cannot have {{ … }}; let the command read files")
    return tuple(item.text() for item in items)
