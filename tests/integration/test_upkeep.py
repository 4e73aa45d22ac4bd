"""`perles maintenance prune|backup|vacuum`, and the lines of docs/cron.md."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli import Home

CRON = Path(__file__).resolve().parents[2] / "docs" / "cron.md"
LINES = re.findall(r"^[^\n]*? (perles maintenance [^\n]*)$", CRON.read_text(), re.MULTILINE)


@pytest.fixture
def ended(home: Home) -> Home:
    home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}]))
    return home


@pytest.mark.parametrize("line", LINES)
def test_lines_for_cron_work_as_they_stand(ended: Home, line: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**ended.environ, "PATH": path}

    done = subprocess.run(["sh", "-c", line], env=environ, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_prune_removes_rows_and_folder(ended: Home) -> None:
    session = Path(ended.json("list", "--json")[0]["session_dir"])

    ended.perles("maintenance", "prune", "--older-than", "0s")

    assert ended.json("list", "--all", "--json") == []
    assert not session.exists()
    assert ended.perles("maintenance", "check").returncode == 0


@pytest.mark.parametrize("more", [["--keep", "1"], ["--dry-run"], ["--older-than", "1d"]])
def test_prune_leaves_what_is_kept_recent_or_only_tried(ended: Home, more: list[str]) -> None:
    ended.perles("maintenance", "prune", "--older-than", "0s", *more)

    assert ended.only()


def test_prune_leaves_a_workflow_that_has_not_ended(home: Home) -> None:
    home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}]))

    home.perles("maintenance", "prune", "--older-than", "0s")

    assert home.only()


def test_prune_follows_no_session_folder_out_of_the_home(ended: Home, tmp_path: Path) -> None:
    outside = tmp_path / ended.only()
    outside.mkdir()
    with sqlite3.connect(ended.database) as connection:
        connection.execute("UPDATE workflows SET session_dir = ?", (str(outside),))

    ended.perles("maintenance", "prune", "--older-than", "0s")

    assert outside.is_dir()


def test_a_backup_is_whole(ended: Home) -> None:
    target = ended.work / "b.db"

    assert ended.perles("maintenance", "backup", target).returncode == 0
    with sqlite3.connect(target) as connection:
        assert connection.execute("SELECT count(*) FROM workflows").fetchone() == (1,)


def test_a_backup_over_the_live_database_or_a_strange_file_is_refused(ended: Home) -> None:
    strange = ended.work / "notes.txt"
    strange.write_text("mine")

    for target in (ended.database, strange):
        assert ended.perles("maintenance", "backup", target).returncode == 7
    assert strange.read_text() == "mine"
    assert ended.only()


def test_a_backup_onto_a_full_disk_leaves_no_half_file(ended: Home) -> None:
    before = set(ended.work.iterdir())
    line = f"ulimit -f 64; exec {sys.executable} -m perles maintenance backup {ended.work}/b.db"

    done = subprocess.run(
        ["sh", "-c", line], env=ended.environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 7
    assert len(done.stderr.splitlines()) == 1
    assert set(ended.work.iterdir()) == before
