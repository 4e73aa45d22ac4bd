"""What is started for a worker's task: its script, the variables it gets, and where it runs."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from perles.agents.builtin import scripts
from perles.agents.builtin.secrets import secret_texts
from perles.agents.provider import Launch, TaskCommand, TurnContext
from perles.domain.secrecy import texts_of

_TERMINAL: Final = str(Path(__file__).with_name("tty.py"))
_RUN_FILE: Final = """\
import sys
sys.argv = sys.argv[1:]
__file__ = sys.argv[0]
with open(__file__, "rb") as file:
    code = compile(file.read(), __file__, "exec")
del file
exec(code)
"""
"""Has Python run a file, and find modules in the work dir, not beside the file."""


def launch_of(turn: TurnContext, task: Mapping[str, Any]) -> Launch:
    """The launch of a turn whose process is the command of its task.

    What its variables hold stands in its input alone, which is a file of ours, and where they are
    too large for an environment in the script.
    """
    files, told = scripts.written(turn, task)
    secrets, large = told.get("secrets", {}), told["set"]
    own = told.get("env", dict(turn.variables))
    missing = [name for name in task["variables"] if name not in own]
    problem = told.get("problem", "")
    if missing and not problem:
        problem = f"cannot run it without its variables: {', '.join(missing)}"
    kept = {**told, "from": "perles", "kind": "variables", "task": turn.task}
    kept |= {"env": own, "secrets": list(secrets)}
    env = {name: value for name, value in own.items() if name not in large} | task["env"]
    shell = task.get("shell") or ["sh"]
    argv = _argv(shell, told["script"], {**turn.environ, **env})
    return Launch(
        argv=[sys.executable, "-I", "-S", _TERMINAL, *argv] if task.get("tty") else argv,
        env={"PERLES_TURN_NUMBER": str(turn.number), **env},
        stdin=(json.dumps(kept) + "\n" + turn.prompt).encode(errors="replace"),
        files=files,
        secrets=texts_of(own) | secret_texts(secrets),
        unset=task.get("unset") or (),
        command=TaskCommand(
            name=shell[0],
            folder=told.get("dir", ""),
            timeout=task["timeout"],
            grace=task.get("grace"),
            problem=problem,
            done=told.get("done", ""),
        ),
    )


def _argv(shell: Sequence[str], script: str, environ: Mapping[str, str]) -> list[str]:
    if shell[0] != "python":
        return [*shell, script]
    from shutil import which

    found = which("python3", path=environ.get("PATH", os.defpath))
    return ["python3" if found else "python", "-u", "-c", _RUN_FILE, *shell[1:], script]
