"""The secrets of a task: read when it starts, handed over in the turn's own file, never stored."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perles.agents.provider import TurnContext
from perles.domain.errors import UsageError
from perles.domain.marks import of_aside
from perles.domain.secrecy import texts_of
from perles.workspace import door
from perles.workspace.program import Bounds, run_program

MAX_BYTES: Final = 64 * 1024
MAX_FILE: Final = 16 * 1024 * 1024
"""Bytes of a turn's input in which its secrets are looked for."""


def read_secrets(turn: TurnContext, wanted: Mapping[str, Any]) -> dict[str, str]:
    """The values of a task's secrets: from the environment, or what a command prints.

    `wanted` has for each name None, or the command with its time-out. Raises `UsageError`, which
    tells nothing of a value.
    """
    return {
        name: _of_environment(turn, name) if how is None else _of_command(turn, name, **how)
        for name, how in wanted.items()
    }


def secret_texts(values: Mapping[str, str]) -> set[str]:
    """The texts that no row may hold of what was declared secret, whatever its name is."""
    return texts_of({f"SECRET_{name}": value for name, value in values.items()})


def handed_over(stdin: Path) -> set[str]:
    """What a turn's input says that it was handed as a secret; nothing where that is gone."""
    try:
        content = door.read_small(stdin, MAX_FILE)
        told = json.loads(content.partition(b"\n")[0])
        values = {name: told["env"][name] for name in told["secrets"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # it is gone, or the input of another kind of agent
    return secret_texts(values)


def _of_environment(turn: TurnContext, name: str) -> str:
    found = turn.environ.get(name) or os.environ.get(name)
    if not found:
        raise UsageError(
            f"secret {name} is not in the environment; set it where the engine is started"
        )
    return found


def _of_command(turn: TurnContext, name: str, command: str, timeout: float) -> str:
    what = f"the command of secret {name}"
    ended = run_program(
        ["/bin/sh", "-c", command],
        cwd=turn.work_dir,
        env={**turn.environ, **of_aside(turn.workflow_id, name)},
        bounds=Bounds(timeout, MAX_BYTES),
    )
    if ended.cut:
        raise UsageError(f"{what} printed over 64 KiB")
    if ended.code is None:
        raise UsageError(f"{what} did not end within {timeout:g}s; try it by hand")
    if ended.code != 0:
        raise UsageError(f"{what} ended with exit {ended.code}; try it by hand")
    text = ended.out.decode(errors="replace").rstrip("\r\n")
    if not text or "\0" in text:
        raise UsageError(f"{what} printed {'a NUL' if text else 'nothing'}")
    return text
