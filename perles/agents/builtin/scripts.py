"""The script of a worker's task, as a file: no argument and no variable holds one of any size."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perles.agents.builtin import preparation
from perles.agents.builtin.command import is_large
from perles.agents.builtin.secrets import read_secrets
from perles.agents.provider import TurnContext
from perles.domain.errors import UsageError
from perles.domain.execution import PLAIN_SH, Language, language
from perles.domain.output_values import VARIABLE
from perles.workspace.dotenv import read_dotenv
from perles.workspace.session import turn_values


def written(turn: TurnContext, task: Mapping[str, Any]) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The file to write for the turn's task, and what is to be known of that."""
    name = f"turn-{turn.number:03}.script"
    large = _large(turn) if _is_shell(task) else {}
    setting = "".join(f"{key}={_in_quotes(value)}; " for key, value in large.items())
    content = f"{setting}{task['run']}\n".encode(errors="replace")
    told = {"script": str(turn.folder / name), "set": sorted(large), **_surroundings(turn, task)}
    return {name: content}, told


def _surroundings(turn: TurnContext, task: Mapping[str, Any]) -> dict[str, Any]:
    """Where it runs, and the variables of its files; or the problem that keeps it from running."""
    found: dict[str, str] = {}
    try:
        for name in task.get("dotenv") or ():
            found |= read_dotenv(turn.work_dir / name)
        secrets = read_secrets(turn, task.get("secrets") or {})
        folder = _folder(turn.work_dir, task.get("dir") or "")
    except (UsageError, OSError) as error:
        return {"problem": f"cannot run it: {error}"}
    values = turn_values(turn.folder / f"turn-{turn.number:03}.script")
    known = {**found, **turn.variables}
    env = {VARIABLE: str(values), **known, **secrets}
    place, own = Path(folder or turn.work_dir), task.get("env") or {}
    problem = preparation.refusal(turn, task, place, {**env, **own})
    if problem:
        return {"problem": problem}
    done = preparation.up_to_date(turn, task, place, {**known, **own})
    return {"dir": folder, "env": env, "secrets": secrets, "done": done}


def _folder(work_dir: Path, name: str) -> str:
    """The folder in the work dir; no link leads out of that. Raises `UsageError`."""
    if not name:
        return ""
    inside, found = os.path.realpath(work_dir), os.path.realpath(work_dir / name)
    if os.path.commonpath([inside, found]) != inside:
        raise UsageError(f"dir {name} is a link out of the work dir")
    if not os.path.isdir(found):
        raise UsageError(f"dir {name} is no folder in {work_dir}")
    return found


def task_of(turn: TurnContext) -> dict[str, Any] | None:
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


def _is_shell(task: Mapping[str, Any]) -> bool:
    return language(task.get("shell") or PLAIN_SH) is Language.SHELL


def _large(turn: TurnContext) -> dict[str, str]:
    """The variables that no environment can hold: a shell can set them itself, for itself."""
    return {name: value for name, value in turn.variables.items() if is_large(name, value)}


def _in_quotes(value: str) -> str:
    quoted = value.replace("'", "'\"'\"'")
    return f"'{quoted}'"
