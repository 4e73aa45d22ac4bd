"""Perles in a folder whose files have the names of modules: none of them is run."""

import os
import subprocess
from pathlib import Path
from time import monotonic, sleep

import pytest

from perles.controlplane import isolated
from perles.dashboard.jobs.pool import Jobs
from tests.integration.cli import DEADLINE, Home

NAMES = (
    *("mcp", "signal", "queue", "json", "types", "secrets", "yaml", "token", "logging", "email"),
    *("calendar", "select", "socket", "random", "runpy", "uvicorn", "sitecustomize"),
)


def _trap(folder: Path) -> Path:
    """Fill a folder with modules that leave a mark when they are run; the mark's path."""
    mark = folder / "mark"
    code = f"open({str(mark)!r}, 'a').write(__name__ + ' ')\n"
    for name in NAMES:
        (folder / f"{name}.py").write_text(code)
    (folder / "perles").mkdir()
    (folder / "perles" / "__init__.py").write_text(code)
    return mark


def _perles(home: Home, *args: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command line as an installed `perles` starts: from no folder."""
    return home.run(isolated.command("perles", *map(str, args)))


def test_no_code_of_the_current_folder_is_run(home: Home) -> None:
    mark = _trap(home.work)
    path = home.pipeline("p", [{"key": "a", "run": "echo done"}])
    result = _perles(home, "run", path)
    assert result.returncode == 0, result.stderr
    assert not mark.exists(), mark.read_text()


def test_an_empty_part_of_pythonpath_is_not_handed_on() -> None:
    given = {"PYTHONPATH": os.pathsep.join(["", "src", "/opt/lib", "."]), "A": "b"}
    assert isolated.environment(given) == {"PYTHONPATH": "/opt/lib", "A": "b"}
    assert isolated.environment({"PYTHONPATH": ":"}) == {}


def test_the_first_database_is_made_by_code_of_ours(fresh_home: Home) -> None:
    mark = _trap(fresh_home.work)
    path = fresh_home.pipeline("p", [{"key": "a", "run": "echo done"}])
    result = _perles(fresh_home, "run", path)
    assert result.returncode == 0, result.stderr
    assert not mark.exists(), mark.read_text()


def test_the_dashboards_helper_runs_no_code_of_the_folder(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = _trap(home.work)
    monkeypatch.chdir(home.work)
    jobs = Jobs(home.root)
    try:
        jobs.submit("templates", {})
        deadline = monotonic() + DEADLINE
        answers = jobs.collect()
        while not answers and monotonic() < deadline:
            sleep(0.02)
            answers = jobs.collect()
    finally:
        jobs.close()
    assert [answer.error for answer in answers] == [None]
    assert not mark.exists(), mark.read_text()
