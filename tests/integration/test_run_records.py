"""A session folder tells what its run was, to somebody who has nothing but `less`."""

import json
import os
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.store.sqlite.driver import dbapi
from perles.workflows import run_record
from tests.integration.cli import Home

TASKS: list[dict[str, Any]] = [
    {"key": "a", "name": "First", "run": "echo hello; echo $MY_TOKEN"},
    {"key": "b", "run": "true", "after": ["a"]},
]
FILES = ("README.md", "summary.md", "workflow.json", "messages.jsonl", "posts.jsonl")
TOKEN = "tok-0123456789abcdef"


def _ran(home: Home) -> Path:
    """A workflow that was run to its end; its session folder."""
    tasks = [{**TASKS[0], "env": {"MY_TOKEN": TOKEN}}, TASKS[1]]
    result = home.perles("run", home.pipeline("book", tasks))
    assert result.returncode == 0, result.stderr
    return Path(home.json("show", home.only(), "--json")["session_dir"])


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _unwritten(home: Home) -> int:
    with closing(dbapi.connect(home.database)) as connection:
        query = "SELECT count(*) FROM workflows WHERE unrecorded = 1"
        return int(connection.execute(query).fetchone()[0])


def test_a_stranger_reads_what_a_run_was(home: Home) -> None:
    folder = _ran(home)
    readme = (folder / "README.md").read_text()

    assert readme.startswith("# book\n")
    assert f"{home.only()} completed" in readme
    assert "- **a** First: done by worker-1" in readme
    assert "**coordinator** (coordinator, builtin): " in readme
    assert "turn-NNN.prompt.md" in readme
    shown = json.loads((folder / "workflow.json").read_text())
    assert [task["run"] for task in shown["tasks"]] == [task["run"] for task in TASKS]
    told = _lines(folder / "messages.jsonl")
    assert {message["to"] for message in told} >= {"coordinator", "worker-1"}
    assert [message["id"] for message in told] == sorted(message["id"] for message in told)
    assert all((folder / name).stat().st_mode & 0o777 == 0o600 for name in FILES)
    assert not [path for path in folder.iterdir() if path.name.endswith(".new")]
    for name in FILES:
        assert TOKEN not in (folder / name).read_text()


def test_sessions_are_listed_shown_and_found(home: Home) -> None:
    folder = _ran(home)
    id = home.only()

    (listed,) = home.json("sessions", "list", "--json")
    (indexed,) = _lines(home.root / "sessions" / run_record.INDEX)

    assert listed == indexed
    assert (listed["id"], listed["state"]) == (id, "completed")
    assert listed["session_dir"] == str(folder)
    assert home.perles("sessions", "open", id).stdout == f"{folder}\n"
    assert home.perles("sessions", "show", id).stdout == (folder / "README.md").read_text()
    assert home.perles("sessions", "open", "nobody").returncode == 3


def test_a_pause_is_written_and_the_end_over_it(home: Home) -> None:
    home.perles("serve", "--detach")
    tasks = [{"key": "a", "run": "touch begun; until test -e go; do sleep 0.05; done"}]
    home.perles("create", home.pipeline("p", tasks))
    home.perles("start", "p")
    home.wait_for("the task", lambda: (home.work / "begun").exists())
    home.perles("pause", "p")
    readme = Path(home.json("show", "p", "--json")["session_dir"]) / "README.md"
    home.wait_for("the pause", lambda: readme.exists() and "paused" in readme.read_text())

    (home.work / "go").touch()
    home.perles("resume", "p")

    home.wait_for("the end", lambda: " completed" in readme.read_text())
    home.wait_for("the mark", lambda: _unwritten(home) == 0)


def test_the_next_engine_writes_what_a_dead_one_did_not(home: Home) -> None:
    folder = _ran(home)
    for name in FILES:
        (folder / name).unlink()
    with closing(dbapi.connect(home.database)) as connection:
        connection.execute("UPDATE workflows SET unrecorded = 1")
        connection.commit()

    home.perles("serve", "--detach")

    home.wait_for("the files", lambda: all((folder / name).exists() for name in FILES))
    home.wait_for("the mark", lambda: _unwritten(home) == 0)


def test_what_agents_put_in_its_place_is_not_written_into(home: Home) -> None:
    folder = _ran(home)
    victim = home.work / "victim"
    victim.write_text("mine")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to(victim)
    (folder / "messages.jsonl").unlink()
    (folder / "messages.jsonl").mkdir()
    (folder / ".summary.md.new").symlink_to(victim)

    run_record.write(home.database, home.only())

    assert victim.read_text() == "mine"
    assert not (folder / "README.md").is_symlink()
    assert _lines(folder / "messages.jsonl")
    assert (folder / "summary.md").read_text().startswith("# book")


def test_a_session_folder_that_is_gone_stays_gone(home: Home) -> None:
    folder = _ran(home)
    folder.rename(home.work / "elsewhere")

    run_record.write(home.database, home.only())

    assert not folder.exists()


@pytest.mark.parametrize("most", [1, 300])
def test_a_file_of_rows_is_bounded(home: Home, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _ran(home)
    monkeypatch.setattr(run_record, "MAX_BYTES", most)

    run_record.write(home.database, home.only())

    assert _lines(folder / "messages.jsonl")[-1] == {"cut": "the rest is in the database"}


def _has_lines(path: Path, count: int) -> bool:
    return path.exists() and len(_lines(path)) == count


def test_the_index_gets_a_line_for_each_end_and_the_last_of_an_id_counts(home: Home) -> None:
    index = home.root / "sessions" / run_record.INDEX
    home.perles("serve", "--detach")
    before = b""
    for number in range(3):
        home.perles("run", home.pipeline(f"p{number}", TASKS))
        home.wait_for("its line", partial(_has_lines, index, number + 1))
        assert index.read_bytes().startswith(before)
        before = index.read_bytes()
        assert index.stat().st_mode & 0o777 == 0o600

    listed = {one["id"]: one for one in home.json("sessions", "list", "--json")}
    assert {one["id"]: one for one in _lines(index)} == listed


@pytest.mark.parametrize("what", ["link", "second name", "long", "folder"])
def test_an_index_that_is_not_ours_or_long_is_written_anew(home: Home, what: str) -> None:
    _ran(home)
    index, other = home.root / "sessions" / run_record.INDEX, home.root / "other"
    if what == "link":
        other.write_text("precious\n")
        index.unlink()
        index.symlink_to(other)
    elif what == "second name":
        os.link(index, other)
    elif what == "long":
        with index.open("ab") as file:
            file.truncate(run_record.MAX_INDEX)
    else:
        index.unlink()
        index.mkdir()
    kept = other.read_bytes() if other.exists() else b""

    run_record.write_index(home.root / "perles.db", home.root / "sessions", [home.only()])

    (line,) = _lines(index)
    assert line["id"] == home.only()
    assert not index.is_symlink()
    assert (other.read_bytes() if other.exists() else b"") == kept
