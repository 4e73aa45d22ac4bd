"""Finding an agent CLI on this machine, and asking it for its version."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern

VERSION_SECONDS: Final = 20.0
_VERSION: Final = lazy_pattern(r"\d+\.\d+(?:\.\d+)?[\w.+-]*")


def find_executable(
    name: str,
    *,
    configured: str | None,
    environ: Mapping[str, str],
    places: Sequence[str] = (),
    hint: str = "",
) -> str:
    """The program: as configured, else from PATH, else from its usual places.

    A command of a task is looked for by `builtin/command.py`, as a shell does it. An empty part
    of PATH, which is the current folder there, is none here: agents work in that folder.
    Raises `UsageError` that lists where it was looked for.
    """
    home = environ.get("HOME", "")
    if configured is not None and ("/" in configured or configured.startswith("~")):
        path = Path(configured.replace("~", home, 1) if configured.startswith("~") else configured)
        if not path.is_file():
            raise UsageError(f"cannot find {name}: {path}, which the configuration names, is none")
        if not os.access(path, os.X_OK):
            raise UsageError(f"cannot run {name}: {path} is not executable; chmod +x it")
        return str(path)
    wanted = configured or name
    folders = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    candidates = [f"{folder}/{wanted}" for folder in folders]
    candidates += [place.replace("~", home, 1) for place in places if home or place[0] != "~"]
    for candidate in candidates:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    looked = ", ".join(["PATH", *places])
    raise UsageError(f"cannot find {wanted}: it is not in {looked}{'; ' if hint else ''}{hint}")


def version_of(path: str, environ: Mapping[str, str]) -> str | None:
    """What `PATH --version` says; None where it says nothing of use."""
    import subprocess  # who looks for a program need not wait for it

    try:
        asked = subprocess.Popen(
            [path, "--version"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        said, _ = asked.communicate(timeout=VERSION_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(asked.pid, signal.SIGKILL)  # it has not been waited for: the number is its own
        asked.communicate()
        return None
    found = _VERSION.search(said[:1000].decode(errors="replace"))
    return found.group(0) if found else None
