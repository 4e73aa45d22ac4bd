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

_FILES = ("store", "shared_commit", "fabric", "questions", "references", "budgets", "bulkheads")
SELECTION = [
    *(f"tests/integration/test_{name}.py" for name in _FILES),
    "tests/crash/test_points.py::test_an_engine_that_dies_at_a_point_leaves_all_to_the_next",
]
"""What tries most of the statements, and found most faults, in least time."""
SUITES = ("unit", "integration", "crash", "dashboard")
NOT_RUN = "NOT RUN: PostgreSQL, or psycopg, is not installed (apt-get install postgresql)"


def main(arguments: list[str]) -> int:
    """Start a server, run the tests on it; pytest's own exit status."""
    if not is_installed() or not _has_driver():
        print(f"tests on PostgreSQL: {NOT_RUN}", file=sys.stderr)
        return 0
    if arguments == ["--selection"]:
        print(_not_selected(), file=sys.stderr)
        arguments = ["-q", "-n", "2", *SELECTION]
    with running() as server, tempfile.TemporaryDirectory() as folder:
        server.run(f"CREATE DATABASE {TEMPLATE}")
        os.environ["PERLES_DATABASE"] = server.url(TEMPLATE)
        migrate.ensure(Path(folder) / "perles.db")
        del os.environ["PERLES_DATABASE"]
        environ = {**os.environ, SERVER: server.url("{}")}
        command = [sys.executable, "-m", "pytest", "-p", "tests.postgres.homes", "-rs", *arguments]
        return subprocess.run(command, env=environ, check=False).returncode


def _not_selected() -> str:
    """What the gate leaves out."""
    files = {str(path) for suite in SUITES for path in Path("tests", suite).rglob("test_*.py")}
    left = files - {one.partition("::")[0] for one in SELECTION}
    return (
        f"NOT RUN ON POSTGRESQL HERE: {len(left)} of {len(files)} files of tests; "
        "make test-postgres runs them all"
    )


def _has_driver() -> bool:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
