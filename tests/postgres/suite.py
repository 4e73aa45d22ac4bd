"""`make test-postgres`: tests that are there for SQLite, with every database on a server.

`python -m tests.postgres.suite [ARGUMENTS OF PYTEST]`, or `--selection` for what the gate runs.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from perles.store import migrate
from tests.postgres.homes import SERVER, TEMPLATE
from tests.postgres.server import is_installed, running

SELECTION = [
    f"tests/integration/test_{name}.py"
    for name in ("store", "shared_commit", "fabric", "questions", "references")
]
"""What tries most of the statements in least time."""
NOT_RUN = "NOT RUN: PostgreSQL, or psycopg, is not installed (apt-get install postgresql)"


def main(arguments: list[str]) -> int:
    """Start a server, run the tests on it; pytest's own exit status."""
    if not is_installed() or not _has_driver():
        print(f"tests on PostgreSQL: {NOT_RUN}", file=sys.stderr)
        return 0
    if arguments == ["--selection"]:
        arguments = ["-q", "-n", "2", *SELECTION]
    with running() as server, tempfile.TemporaryDirectory() as folder:
        server.run(f"CREATE DATABASE {TEMPLATE}")
        os.environ["PERLES_DATABASE"] = server.url(TEMPLATE)
        migrate.ensure(Path(folder) / "perles.db")
        del os.environ["PERLES_DATABASE"]
        environ = {**os.environ, SERVER: server.url("{}")}
        command = [sys.executable, "-m", "pytest", "-p", "tests.postgres.homes", "-rs", *arguments]
        return subprocess.run(command, env=environ, check=False).returncode


def _has_driver() -> bool:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
