"""Where Perles keeps its state: one private home folder, `$PERLES_HOME` or `~/.perles`."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from perles.domain.errors import DatabaseError
from perles.domain.plain import is_text


def home(environ: Mapping[str, str]) -> Path:
    """The home folder as the environment tells it. Nothing is made. Raises `DatabaseError`."""
    given = environ.get("PERLES_HOME")
    if given:
        return Path(os.path.abspath(os.path.expanduser(given)))
    own = user_home(environ)
    if own is None:
        raise DatabaseError(
            f"cannot tell where your home folder is: HOME is not set, and user {os.getuid()} is "
            "not known here; set PERLES_HOME to a folder of your own"
        )
    return own / ".perles"


def user_home(environ: Mapping[str, str]) -> Path | None:
    """The user's home folder, by HOME or by who they are; None where neither tells."""
    named = environ.get("HOME")
    if named and named.startswith("/"):
        return Path(named)
    import pwd  # rarely needed, and reading `list` pays for each import

    try:
        found = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None
    return Path(found) if found else None


CONFIG_VARIABLES: Final = ("PERLES_CONFIG", "XDG_CONFIG_HOME", "HOME", "PERLES_HOME")
"""What tells which file `user_config` is."""


def user_config(environ: Mapping[str, str]) -> str:
    """The configuration that is the user's: the file that was named, else their own."""
    return environ.get("PERLES_CONFIG") or own_config(environ)


def own_config(environ: Mapping[str, str]) -> str:
    """The user's own configuration file."""
    base = environ.get("XDG_CONFIG_HOME")
    if base and base.startswith("/"):
        return f"{base}/perles/config.yaml"
    # Who has no home folder has no file there: then the name is one that is never met.
    own = user_home(environ) or home(environ)
    return f"{own}/.config/perles/config.yaml"


_WRITE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_ROOT: Final = 0
_NOBODY: Final = 65_534
"""Who owns what this user namespace has no name for: often `/` itself in a container."""


def shared(folder: Path) -> str | None:
    """Why another user could change what lies in this folder, and what to do; None: nobody can.

    As ssh looks at its folder: it belongs to its user, nobody else may write to it, and
    nobody else may rename a folder on the way to it. None as well where there is no folder.
    """
    try:
        real = folder.resolve(strict=True)
        own = real.stat()
        above = [(parent, parent.stat()) for parent in real.parents]
    except OSError:
        return None  # the code that needs it meets that error, too
    if own.st_uid not in (os.getuid(), _ROOT):
        return f"it belongs to uid {own.st_uid}, you are {os.getuid()}; set PERLES_HOME"
    if own.st_mode & _WRITE_BY_OTHERS:
        return f"others may write to it; chmod go-w {real}"
    for parent, found in above:
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            return f"others may replace it: they may write to {parent}; chmod o-w {parent}"
        if found.st_uid not in (os.getuid(), _ROOT, _NOBODY):
            return f"uid {found.st_uid} may replace it: {parent} is theirs; set PERLES_HOME"
    return None


def stored(home: Path, path: Path) -> str:
    """How a row names a path: relative to the home where it lies below, so that a home can move."""
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


def found(home: str | Path, text: str) -> str:
    """The absolute path that a row of the database in `home` names."""
    return os.path.join(home, text)


class Paths:
    """The places in one home folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def stored(self, path: Path) -> str:
        """How a row names this path."""
        return stored(self.root, path)

    def found(self, text: str) -> Path:
        """The path that a row names."""
        return Path(found(self.root, text))

    def ensure_home(self) -> None:
        """Make the home folder, private to the user. Raises `DatabaseError` when it cannot be.

        One that others may write is refused as well.
        """
        if not is_text(str(self.root)):
            raise DatabaseError(
                f"cannot use the home folder {str(self.root)!r}: the name is not UTF-8; "
                "set PERLES_HOME to another one"
            )
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"cannot make the home folder {self.root}: {error.strerror}; "
                "set PERLES_HOME to a folder that you may write"
            ) from error
        self.refuse_shared()

    def refuse_shared(self) -> None:
        """Raise `DatabaseError` where another user could put files into the home, or replace it."""
        why = shared(self.root)
        if why is not None:
            raise DatabaseError(f"cannot use the home folder {self.root}: {why}")

    def database_path(self) -> Path:
        """The SQLite file."""
        return self.root / "perles.db"

    def sessions_dir(self) -> Path:
        """Where sessions lie."""
        return self.root / "sessions"

    def stamps_dir(self) -> Path:
        """Of which files commands were made that do not have to run while these stay the same."""
        return self.root / "stamps"

    def worktrees_dir(self) -> Path:
        """Where worktrees of workflows lie."""
        return self.root / "worktrees"

    def user_workflows_dir(self) -> Path:
        """The user's own templates."""
        return self.root / "workflows"

    def engine_log(self) -> Path:
        """What the engine logs."""
        return self.root / "engine.log"

    def crash_log(self) -> Path:
        """Tracebacks of internal errors."""
        return self.root / "crash.log"
