"""The script of a worker's task, as a file: no argument and no variable holds one of any size."""

import json
import os
from typing import Any, Final

from perles.agents.provider import TurnContext
from perles.domain.execution import PLAIN_SH, Language, language

LARGEST: Final = 128 * 1024
"""Bytes, with the NUL at its end, that Linux allows one argument or variable."""


def written(turn: TurnContext) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The file to write for the turn's task, and what its worker is told of that."""
    task = _task(turn)
    if task is None:
        return {}, {}
    name = f"turn-{turn.number}.script"
    large = _large(turn) if _is_shell(task) else {}
    setting = "".join(f"{key}={_in_quotes(value)}; " for key, value in large.items())
    content = f"{setting}{task['run']}\n".encode(errors="replace")
    return {name: content}, {"script": str(turn.folder / name), "set": sorted(large)}


def _task(turn: TurnContext) -> dict[str, Any] | None:
    """What the turn's messages say of its task, the last one of them; None where they do not."""
    found = None
    for line in turn.prompt.split("\n") if turn.task is not None else ():
        if not line:
            continue
        message = json.loads(line)
        if message["kind"] == "coordinator":
            task = json.loads(message["body"])
            if task["task"] == turn.task and task["run"] is not None:
                found = task
    return found


def _is_shell(task: dict[str, Any]) -> bool:
    return language(task.get("shell") or PLAIN_SH) is Language.SHELL


def _large(turn: TurnContext) -> dict[str, str]:
    """The variables that no environment can hold: a shell can set them itself, for itself."""
    return {
        name: value
        for name, value in turn.variables.items()
        if len(os.fsencode(f"{name}={value}")) >= LARGEST
    }


def _in_quotes(value: str) -> str:
    quoted = value.replace("'", "'\"'\"'")
    return f"'{quoted}'"
