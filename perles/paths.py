"""Where Perles keeps its state: one private home folder, `$PERLES_HOME` or `~/.perles`."""

import os
from collections.abc import Mapping
from pathlib import Path

from perles.domain.errors import DatabaseError
from perles.domain.plain import is_text


def home(environ: Mapping[str, str]) -> Path:
    """The home folder as the environment tells it. Nothing is made."""
    given = environ.get("PERLES_HOME")
    if given:
        return Path(os.path.abspath(os.path.expanduser(given)))
    return Path.home() / ".perles"


class Paths:
    """The places in one home folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ensure_home(self) -> None:
        """Make the home folder, private to the user. Raises `DatabaseError` when it cannot be."""
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

    def database_path(self) -> Path:
        """The SQLite file."""
        return self.root / "perles.db"

    def sessions_dir(self) -> Path:
        """Where sessions lie."""
        return self.root / "sessions"

    def user_workflows_dir(self) -> Path:
        """The user's own templates."""
        return self.root / "workflows"

    def engine_log(self) -> Path:
        """What the engine logs."""
        return self.root / "engine.log"

    def crash_log(self) -> Path:
        """Tracebacks of internal errors."""
        return self.root / "crash.log"
