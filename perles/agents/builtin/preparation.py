"""Before a command runs: whether it may, and whether it has to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perles.agents.provider import TurnContext
from perles.domain.execution import PLAIN_SH
from perles.domain.marks import of_aside
from perles.domain.needs import UP_TO_DATE, Needs, Precondition
from perles.workspace import door, fingerprint
from perles.workspace.program import Bounds, run_program
from perles.workspace.session import turn_fingerprint

_SAID: Final = 2000
"""Bytes of what a precondition prints that are told."""


def refusal(
    turn: TurnContext, task: Mapping[str, Any], folder: Path, env: Mapping[str, str]
) -> str:
    """Why the command may not run; "" where all that must hold before does."""
    for number, one in enumerate(Needs.of(task.get("needs") or {}).preconditions):
        why = _unmet(turn, task, folder, env, number, one)
        if why:
            return why
    return ""


def _unmet(
    turn: TurnContext,
    task: Mapping[str, Any],
    folder: Path,
    env: Mapping[str, str],
    number: int,
    one: Precondition,
) -> str:
    shell = task.get("shell") or PLAIN_SH
    is_bash = shell[0].rpartition("/")[2] == "bash"
    marks = of_aside(turn.workflow_id, f"{task['task']}-{number}")
    try:
        ended = run_program(
            ["bash" if is_bash else "/bin/sh", "-c", one.run],
            cwd=folder,
            env={**turn.environ, **env, **marks},
            bounds=Bounds(one.timeout, _SAID),
        )
    except OSError as error:
        return f"precondition {one.run!r} cannot be run: {error.strerror}"
    if ended.code == 0:
        return ""
    how = f"took over {one.timeout:g}s" if ended.code is None else f"exit {ended.code}"
    return f"{one.message or 'precondition not met'} ({one.run}: {how})"


def up_to_date(
    turn: TurnContext, task: Mapping[str, Any], folder: Path, env: Mapping[str, str]
) -> str:
    """Why the command does not have to run; "" where it does, and then nothing is known of it
    until it has ended well."""
    needs = Needs.of(task.get("needs") or {})
    if not needs.sources or turn.stamps is None:
        return ""
    about = [task["run"], task.get("shell"), sorted(env.items()), needs.generates]
    found = fingerprint.of(folder, needs.sources, json.dumps(about))
    stamp = fingerprint.stamp_of(turn.stamps, folder, task["task"])
    if found is None:
        fingerprint.begin(stamp)
        return ""
    note = turn_fingerprint(turn.folder / f"turn-{turn.number:03}.script")
    door.write(note, f"{stamp.name} {found}".encode())
    if fingerprint.is_kept(stamp, found) and fingerprint.are_there(folder, needs.generates):
        return f"{UP_TO_DATE}nothing in {', '.join(needs.sources)} changed since it last ended well"
    fingerprint.begin(stamp)
    return ""
