"""The environment of a workflow's agents and tasks: that of the person who created it.

It is captured when the workflow is created and stored with it, so that the same command does the
same whether an engine ran before or not. What is secret by its name or its form is never stored:
that, and nothing else, comes from the engine's environment when a process is started.
"""

import os
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from perles.domain.patterns import lazy_pattern
from perles.domain.secrecy import is_secret

MAX_VALUE: Final = 32 * 1024
"""Bytes of a value that is stored."""
_OF_A_SHELL: Final = frozenset({"_", "PWD", "OLDPWD", "SHLVL"})
_UMASK: Final = lazy_pattern(rb"^Umask:\s*(\d+)", re.MULTILINE)
_OURS: Final = "PERLES_"
_CONFIG: Final = "PERLES_CONFIG"
_HOME: Final = "PERLES_HOME"
_DATABASE: Final = "PERLES_DATABASE"
"""It may hold a password: processes have it from the engine, and no row has it."""


@lru_cache(maxsize=1024)
def is_stored(name: str, value: str) -> bool:
    """Whether a variable may stand in the database."""
    return not (
        name.startswith(_OURS)
        or name in _OF_A_SHELL
        or is_secret(name, value)
        or len(os.fsencode(value)) > MAX_VALUE
        or not _is_text(name + value)
    )


@lru_cache(maxsize=1024)
def _is_wanted(name: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def capture(environ: Mapping[str, str], wanted: Sequence[str]) -> dict[str, Any]:
    """What to store with a workflow: variables of these names (globs), and the umask."""
    globs = tuple(wanted)
    wanted_here = [name for name in environ if _is_wanted(name, globs)]
    env = {name: value for name in wanted_here if is_stored(name, value := environ[name])}
    config = environ.get(_CONFIG)
    if config:
        env[_CONFIG] = os.path.abspath(config)
    return {"env": env, "umask": _umask()}


def environment_of(
    surroundings: Mapping[str, Any], engine: Mapping[str, str], home: Path
) -> dict[str, str]:
    """The environment of a workflow's processes: what was captured, and the engine's secrets.

    One that was created before anything was captured has the engine's. A process that calls
    `perles` reaches the home and the database that it belongs to.
    """
    captured = surroundings.get("env")
    own = shared(engine, home)
    if captured is None:
        return own
    kept = {
        name: value
        for name, value in own.items()
        if name in (_HOME, _DATABASE)
        or not (name in _OF_A_SHELL or name == _CONFIG or is_stored(name, value))
    }
    return {**kept, **captured}


def shared(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """An engine's environment as its children may have it.

    Of our variables they have where `home` is, and the database that the environment names.
    """
    found = {
        name: value
        for name, value in environ.items()
        if name == _DATABASE or not name.startswith(_OURS)
    }
    if environ.get(_CONFIG):
        found[_CONFIG] = os.path.abspath(environ[_CONFIG])
    return found | {_HOME: str(home)}


def umask_of(surroundings: Mapping[str, Any]) -> int | None:
    """The umask of a workflow's processes; None for the engine's."""
    found = surroundings.get("umask")
    return None if found is None else int(found, 8)


def _umask() -> str | None:
    """This process's own, in octal digits. Asking the kernel by setting it would race."""
    found = _UMASK.search(Path("/proc/self/status").read_bytes())
    return None if found is None else found[1].decode()


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
