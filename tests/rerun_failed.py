"""Runs the tests that failed in the last run once more, one by one.

A few tests of 6,000 may fail because the machine was too busy beside the others. Such a test passes
alone; it is named here, so that somebody mends it. What fails twice fails.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

EXIT_STATUS: Final = "perles/exit-status"
"""Where the last run's exit status is kept, in pytest's cache."""
CACHE: Final = Path(".pytest_cache/v")
TESTS_FAILED: Final = 1
"""pytest's status of a run that reached its end. One that did not is not run again."""
MOST: Final = 3
"""More failures than this are no coincidence."""


def main(*, measured: bool) -> int:
    """The exit code: 0 only where a few tests failed, and all of them pass now.

    `measured` tests were run for their coverage, too: its floors are held then.
    """
    tests, ended = sorted(_kept("cache/lastfailed") or []), _kept(EXIT_STATUS)
    if ended != TESTS_FAILED or not 0 < len(tests) <= MOST:
        print(f"status {ended}, {len(tests)} tests failed: none is run again", file=sys.stderr)
        return 1
    python = [sys.executable, "-m"]
    again = [*python, *(["coverage", "run", "-m"] if measured else []), "pytest", "-q", "-n", "0"]
    if subprocess.run([*again, *tests], check=False).returncode:
        return 1
    for test in tests:
        print(f"FAILED BESIDE OTHERS, PASSED ALONE: {test}", file=sys.stderr)
    if not measured:
        return 0
    subprocess.run([*python, "coverage", "combine", "-q"], check=True)
    return subprocess.run([*python, "tests.coverage_by_package"], check=False).returncode


def _kept(name: str) -> Any:
    file = CACHE / name
    return json.loads(file.read_text()) if file.exists() else None


if __name__ == "__main__":
    sys.exit(main(measured="--coverage" in sys.argv))
