"""`perles maintenance prune|backup|vacuum|stats`, `retention:`, and the lines of docs/cron.md."""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from perles.config.home import Paths
from perles.config.model import Config, Retention
from perles.domain.clock import ManualClock, SystemClock
from perles.domain.errors import DatabaseError
from perles.engine.context import Context
from perles.engine.sweeps.retention import RetentionSweep
from perles.maintenance import backup as backups
from perles.maintenance.lock import alone
from perles.maintenance.prune import prune
from perles.maintenance.retention import keep_up
from perles.maintenance.rows import TABLES, Remover
from perles.maintenance.stats import stats
from perles.store.database import Database
from perles.store.schema.engine import Command
from perles.store.schema.journal import InboxAck
from perles.store.schema.resources import Lease
from perles.store.schema.tables import METADATA
from perles.store.schema.workflows import WorkflowLabel
from perles.store.sqlite import copying
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home
from tests.integration.crew import Crew

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
    with closing(sqlite3.connect(ended.database)) as connection, connection:
        connection.execute("UPDATE workflows SET session_dir = ?", (str(outside),))

    ended.perles("maintenance", "prune", "--older-than", "0s")

    assert outside.is_dir()


def test_a_backup_is_whole(ended: Home) -> None:
    target = ended.work / "b.db"

    assert ended.perles("maintenance", "backup", target).returncode == 0
    with closing(sqlite3.connect(target)) as connection, connection:
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


@pytest.fixture
def crew(home: Home) -> Iterator[Crew]:
    made = Crew(home.database)
    yield made
    made.close()


def _ended(crew: Crew, id: str = "wf-aaaaaaaa", *, days: float = 40, **more: Any) -> str:
    return crew.workflow(id, "completed", ended_at=crew.at(days=days), **more)


def _filled(crew: Crew, id: str) -> None:
    """Rows of many kinds."""
    agent = crew.agent(id, "worker-1", "retired")
    turn = crew.turn(id, agent, "succeeded")
    crew.message(agent, status="done", turn_id=turn)
    crew.task(id, "a", "done", implementer_id=agent)
    crew.insert(WorkflowLabel, workflow_id=id, key="k", value="v")
    about = {"workflow_id": id, "agent_id": agent}
    for _ in range(5):
        crew.event("worker.output", {"text": "x"}, at=crew.now, **about)


def _counts(crew: Crew) -> dict[str, int]:
    with crew.reading() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name, _ in (*TABLES, ("workflows", ""))
        }


def _gone(crew: Crew, **more: Any) -> dict[str, Any]:
    return prune(Paths(crew.path.parent), older_than=30 * 86400, **more)


def test_every_table_that_hangs_on_a_workflow_is_pruned() -> None:
    named = {name for name, _ in TABLES} | {"workflows"}
    reached, tables = {"workflows"}, METADATA.tables.values()
    for _ in tables:
        reached |= {
            table.name
            for table in tables
            if any(key.column.table.name in reached for key in table.foreign_keys)
        }

    assert reached == named


def test_prune_leaves_nothing_of_one_and_all_of_the_other(crew: Crew) -> None:
    _filled(crew, _ended(crew))
    _filled(crew, crew.workflow("wf-bbbbbbbb"))
    with crew.reading() as connection:
        first = connection.execute("SELECT min(seq) FROM events").fetchone()[0]
    crew.insert(InboxAck, seq=first)
    before = _counts(crew)

    assert _gone(crew) == {"pruned": ["wf-aaaaaaaa"], "spared": []}

    after = {name: count for name, count in _counts(crew).items() if count}
    assert after == {k: n / 2 for k, n in before.items() if k != "inbox_acks" and n}


def test_a_prune_in_pieces_goes_on_where_it_was_interrupted(crew: Crew, home: Home) -> None:
    _filled(crew, _ended(crew))
    remover = Remover(home.database, piece=2, seconds=0)
    with pytest.raises(KeyboardInterrupt):
        remover.remove("wf-aaaaaaaa", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    remover.close()
    assert _counts(crew)["workflows"] == 1

    assert _gone(crew)["pruned"] == ["wf-aaaaaaaa"]
    assert set(_counts(crew).values()) == {0}


def test_one_that_is_asked_something_meanwhile_is_left_whole(crew: Crew, home: Home) -> None:
    _filled(crew, _ended(crew))
    before = _counts(crew)
    remover = Remover(home.database)
    crew.insert(Command, workflow_id="wf-aaaaaaaa", kind="archive", source="user", status="queued")

    assert not remover.remove("wf-aaaaaaaa")
    remover.close()

    assert _counts(crew) == before | {"commands": 1}


@pytest.mark.parametrize("state", ["pending", "running", "paused"])
def test_one_that_has_not_ended_is_skipped_however_old(crew: Crew, state: str) -> None:
    id = crew.workflow(state=state, created_at=crew.at(days=99), ended_at=crew.at(days=99))
    crew.insert(Lease, kind="workflow", workflow_id=id, acquired_at=crew.at(days=99))

    assert _gone(crew) == {"pruned": [], "spared": []}
    assert _counts(crew)["leases"] == 1


def _git(folder: Path, *args: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    """A clean worktree on a branch of its own, nothing committed there."""
    repo, tree = tmp_path / "repo", tmp_path / "tree"
    repo.mkdir()
    _git(repo, "init", "-q", "-b", "main")
    _git(repo, "commit", "-q", "--allow-empty", "-m", "first")
    _git(repo, "worktree", "add", "-q", "-b", "perles/a", str(tree))
    return tree


@pytest.mark.parametrize("work", ["commit", "change", "no git"])
def test_a_worktree_with_unmerged_work_is_spared_and_named(
    crew: Crew, home: Home, worktree: Path, work: str
) -> None:
    _ended(crew, worktree_path=str(worktree))
    if work == "commit":
        _git(worktree, "commit", "-q", "--allow-empty", "-m", "work")
    elif work == "change":
        (worktree / "new.txt").write_text("x")
    else:
        (worktree / ".git").unlink()

    said = home.perles("maintenance", "prune", "--older-than", "30d").stdout

    assert said.startswith(f"spared wf-aaaaaaaa: worktree {worktree}: ")
    assert worktree.is_dir()
    assert _counts(crew)["workflows"] == 1


def test_a_worktree_whose_work_is_merged_goes_and_its_branch_stays(
    crew: Crew, worktree: Path
) -> None:
    _git(worktree, "commit", "-q", "--allow-empty", "-m", "work")
    repo = worktree.parent / "repo"
    _git(repo, "merge", "-q", "perles/a")
    _ended(crew, worktree_path=str(worktree))

    assert _gone(crew, dry_run=True)["pruned"] == ["wf-aaaaaaaa"]
    assert worktree.is_dir()
    assert _gone(crew)["pruned"] == ["wf-aaaaaaaa"]
    assert not worktree.exists()
    _git(repo, "rev-parse", "perles/a")


def test_a_repository_itself_is_never_removed(crew: Crew, worktree: Path) -> None:
    repo = worktree.parent / "repo"
    _ended(crew, worktree_path=str(repo))

    (spared,) = _gone(crew)["spared"]
    assert repo.is_dir()
    assert "no worktree" in spared["why"]


# Backups.


def test_a_backup_over_another_database_a_pipe_or_a_link_is_refused(
    crew: Crew, tmp_path: Path
) -> None:
    other, pipe, link = (tmp_path / name for name in ("other.db", "pipe", "link"))
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE mine (x)")
    os.mkfifo(pipe)
    link.symlink_to(other)
    hard = tmp_path / "hard.db"
    os.link(crew.path, hard)

    for target in (other, pipe, link, hard, tmp_path):
        with pytest.raises(DatabaseError, match="cannot write backup"):
            backups.backup(crew.path, target)


def test_a_backup_over_an_older_backup_is_what_one_wants(crew: Crew, tmp_path: Path) -> None:
    target = tmp_path / "b.db"
    backups.backup(crew.path, target)
    _ended(crew)
    backups.backup(crew.path, target)

    with closing(sqlite3.connect(target)) as connection, connection:
        assert connection.execute("SELECT count(*) FROM workflows").fetchone() == (1,)


def test_a_backup_of_a_database_that_stays_locked_ends(crew: Crew) -> None:
    times = iter([0.0, copying.PATIENCE / 2, copying.PATIENCE + 1])
    look = copying.patient(crew.path, lambda: next(times))

    look(dbapi.SQLITE_BUSY, 0, 0)
    look(dbapi.SQLITE_BUSY, 0, 0)
    with pytest.raises(DatabaseError, match="another process holds it"):
        look(dbapi.SQLITE_BUSY, 0, 0)


# How large it is, and what goes by itself.


def test_stats_count_rows_states_and_disk(crew: Crew, home: Home) -> None:
    _filled(crew, _ended(crew, created_at=crew.at(days=50)))
    crew.workflow("wf-bbbbbbbb")
    folder = home.root / "sessions" / "work"
    folder.mkdir(parents=True)
    (folder / "turn-1.out").write_bytes(b"x" * 10_000)

    found = home.json("maintenance", "stats", "--json")

    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    assert all(f"`{key}`" in documented for key in found)
    assert found["rows"]["events"] == 5
    assert found["workflows"] == {"completed": 1, "running": 1}
    assert found["session_files"] == 1
    assert found["session_bytes"] >= 10_000
    assert found["oldest"] == crew.at(days=50)
    assert "1 completed, 1 running" in home.perles("maintenance", "stats").stdout


def test_stats_of_no_home_are_nothing(fresh_home: Home) -> None:
    assert stats(Paths(fresh_home.root))["rows"] == {}
    assert not fresh_home.root.exists()


def test_retention_prunes_and_backs_up_when_it_is_due(crew: Crew, home: Home) -> None:
    paths, clock = Paths(home.root), ManualClock(SystemClock().now())
    wanted = Retention(older_than=30 * 86400.0, backup_every=86400.0, backup_keep=2)
    _ended(crew)
    _ended(crew, "wf-bbbbbbbb", days=1)

    first = keep_up(paths, wanted, clock)
    clock.advance(3600)
    second = keep_up(paths, wanted, clock)
    for _ in range(2):
        clock.advance(86400)
        keep_up(paths, wanted, clock)

    assert first["pruned"] == ["wf-aaaaaaaa"]
    assert first["backup"] is not None
    assert (second["backup"], second["pruned"]) == (None, [])
    assert len(backups.backups(paths)) == 2


def test_retention_waits_while_other_upkeep_runs(crew: Crew, home: Home) -> None:
    _ended(crew)
    wanted = Retention(older_than=1.0)

    with alone(home.database):
        assert keep_up(Paths(home.root), wanted, SystemClock())["pruned"] == []
    assert keep_up(Paths(home.root), wanted, SystemClock())["pruned"] == ["wf-aaaaaaaa"]


@pytest.mark.parametrize(("days", "left"), [(0.0, 1), (30.0, 0)])
def test_the_engine_keeps_to_its_configuration(
    crew: Crew, home: Home, days: float, left: int
) -> None:
    _ended(crew)
    database = Database(home.database)
    context = SimpleNamespace(
        config=Config(retention=Retention(older_than=days * 86400)),
        paths=Paths(home.root),
        database=database,
    )

    asyncio.run(RetentionSweep(cast(Context, context)).sweep())
    database.dispose()

    assert _counts(crew)["workflows"] == left


@pytest.mark.parametrize("text", ["5", "-1m", "2 minutes", "1m1m", ""])
def test_a_wrong_duration_is_refused_with_the_right_form(home: Home, text: str) -> None:
    done = home.perles("maintenance", "prune", f"--older-than={text}")

    assert done.returncode == 2
    assert "write it like 90s, 2m or 1h30m" in done.stderr


def test_retention_in_the_configuration(home: Home) -> None:
    file = home.config_file
    file.write_text("retention: {older_than: 1h30m, keep: 5, backup_every: 1d}\n")
    shown = home.perles("config", "show").stdout
    assert re.search(r"retention.older_than +1h30m", shown)

    file.write_text("retention: {older_than: 2 minutes}\n")
    done = home.perles("config", "check")
    assert done.returncode == 2
    assert "config.yaml:1" in done.stderr
