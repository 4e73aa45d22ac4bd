"""The store: transitions with their events, the shared commit, the journal, its followers."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.domain.clock import ManualClock
from perles.domain.errors import DatabaseError, StaleError, WrongStateError
from perles.domain.states import TASK, WORKFLOW
from perles.store import migrate
from perles.store.database import Database
from perles.store.events import journal
from perles.store.events.reads import EventFilter, read_events
from perles.store.events.tail import tail
from perles.store.reads.connection import reading
from perles.store.schema.workflows import Workflow
from perles.store.sqlite import backend
from perles.store.sqlite.driver import dbapi, dbapi_is_safe, open_readonly
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.store.version import HEAD, schema_version
from perles.store.writer import Writer


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "perles.db"
    migrate.ensure(path)
    made = Database(path, ManualClock())
    made.write(lambda tx: _workflow(tx, "wf-aaaaaaaa"))
    yield made
    made.dispose()


def _workflow(tx: Tx, id: str, state: str = "pending") -> None:
    tx.insert(Workflow, id=id, template_id="t", name="n", state=state, work_dir="/")


def _events(database: Database) -> list[dict[str, Any]]:
    with reading(database.path) as connection:
        return read_events(connection)


def _state(database: Database) -> tuple[str, int]:
    with database.reader() as reader:
        row = reader.need(Workflow, "wf-aaaaaaaa")
        return row.state, row.version


def test_i1_a_transition_commits_with_its_event(database: Database) -> None:
    database.write(
        lambda tx: fire(
            tx, WORKFLOW, "wf-aaaaaaaa", "start", changes={"mcp_port": 9000}, payload={"a": 1}
        )
    )

    assert _state(database) == ("running", 1)
    (event,) = _events(database)
    assert (event["type"], event["workflow_id"], event["at"]) == (
        "workflow.started",
        "wf-aaaaaaaa",
        "2026-01-01T00:00:00.000Z",
    )
    assert event["payload"] == {"v": 1, "from": "pending", "to": "running", "trigger": "start"} | {
        "a": 1
    }


def test_i1_a_transaction_that_fails_leaves_neither_state_nor_event(database: Database) -> None:
    def work(tx: Tx) -> None:
        fire(tx, WORKFLOW, "wf-aaaaaaaa", "start")
        raise RuntimeError("after the event")

    with pytest.raises(RuntimeError):
        database.write(work)

    assert (_state(database), _events(database)) == (("pending", 0), [])


def test_i2_an_edge_that_is_not_there_is_refused_with_the_state_found(database: Database) -> None:
    with pytest.raises(WrongStateError) as refused:
        database.write(lambda tx: fire(tx, WORKFLOW, "wf-aaaaaaaa", "pause"))

    assert (refused.value.state, refused.value.trigger) == ("pending", "pause")
    assert refused.value.exit_code == 4
    assert _events(database) == []


def test_i2_a_decision_on_an_old_version_is_refused(database: Database) -> None:
    database.write(lambda tx: fire(tx, WORKFLOW, "wf-aaaaaaaa", "start"))

    with pytest.raises(StaleError):
        database.write(lambda tx: fire(tx, WORKFLOW, "wf-aaaaaaaa", "pause", expect_version=0))

    assert _state(database) == ("running", 1)


def test_i2_a_state_can_only_be_changed_through_its_machine(database: Database) -> None:
    with pytest.raises(ValueError, match="fire only"):
        database.write(lambda tx: tx.update(Workflow, "wf-aaaaaaaa", state="completed"))


def test_a_row_that_is_not_there_is_no_user_error(database: Database) -> None:
    with pytest.raises(LookupError):
        database.write(lambda tx: fire(tx, TASK, 99, "assign"))


def test_an_undeclared_event_type_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="declare it"):
        database.write(lambda tx: journal.append(tx, "workflow.exploded"))


def test_a_long_text_in_an_event_is_cut_and_says_so(database: Database) -> None:
    database.write(lambda tx: journal.append(tx, "worker.output", {"text": "x" * 1_000_000}))

    (event,) = _events(database)
    assert len(event["payload"]["text"]) < 20_000
    assert event["payload"]["text"].endswith("[cut, 1000000 characters]")


def test_check_constraints_hold_states_and_ranges(database: Database) -> None:
    for wrong in ({"state": "flying"}, {"priority": 3}, {"token_budget": -1}, {"health": "ill"}):
        values = {"template_id": "t", "name": "n", "state": "pending", "work_dir": "/"} | wrong
        with pytest.raises(DatabaseError, match=r"(?i)check constraint"):
            database.write(lambda tx, v=values: tx.insert(Workflow, id="wf-b", **v))  # type: ignore[misc]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_piece_that_fails_halfway_is_taken_back_wherever_it_stands_in_its_commit(
    database: Database, place: int
) -> None:
    started = threading.Event()

    def spoil(tx: Tx) -> None:
        journal.append(tx, "worker.output", {"text": "half"})
        raise StaleError("workflow", "wf-aaaaaaaa", "pending", "start")

    def hold(tx: Tx) -> None:
        started.wait(5)

    writer = Writer(database)
    writer.start()
    held = asyncio.ensure_future(writer.write(hold))
    await asyncio.sleep(0)  # its commit is under way: what comes now shares the next one
    pieces: list[Any] = [lambda tx: journal.append(tx, "engine.started", {}) for _ in range(2)]
    pieces.insert(place, spoil)
    waiting = [asyncio.ensure_future(writer.write(piece)) for piece in pieces]
    await asyncio.sleep(0)
    started.set()
    told = await asyncio.gather(held, *waiting, return_exceptions=True)
    writer.close()

    assert [isinstance(answer, StaleError) for answer in told[1:]].index(True) == place
    assert [event["type"] for event in _events(database)].count("engine.started") == 2
    assert "worker.output" not in [event["type"] for event in _events(database)]


def test_a_write_goes_to_the_file_that_has_the_name_now(database: Database, tmp_path: Path) -> None:
    database.write(lambda tx: journal.append(tx, "engine.started", {}))
    other = tmp_path / "other.db"
    migrate.ensure(other)
    for suffix in ("-wal", "-shm"):
        Path(f"{database.path}{suffix}").unlink(missing_ok=True)
    other.rename(database.path)

    database.write(lambda tx: journal.append(tx, "engine.stopped", {}))

    assert [event["type"] for event in _events(database)] == ["engine.stopped"]


async def test_a_write_is_durable_when_it_returns(database: Database) -> None:
    writer = Writer(database)
    writer.start()
    await writer.write(lambda tx: fire(tx, WORKFLOW, "wf-aaaaaaaa", "start"))

    assert _state(database) == ("running", 1)
    writer.close()


def test_i3_followers_in_other_processes_see_each_event_once_and_in_order(
    database: Database,
) -> None:
    script = (
        "import sys; from pathlib import Path; from perles.store.database import Database;"
        "from perles.store.events import journal; d = Database(Path(sys.argv[1]));\n"
        "for n in range(100): d.write(lambda tx: journal.append("
        "tx, 'worker.output', {'who': sys.argv[2], 'n': n}))"
    )
    argv = [sys.executable, "-c", script, str(database.path)]
    writers = [subprocess.Popen([*argv, name]) for name in ("a", "b", "c")]
    seen: list[dict[str, Any]] = []
    for event in tail(database.path, since=0):
        seen.append(event)
        if len(seen) == 300:
            break
    for process in writers:
        assert process.wait(30) == 0

    assert [event["seq"] for event in seen] == [event["seq"] for event in _events(database)]
    for name in ("a", "b", "c"):
        numbers = [e["payload"]["n"] for e in seen if e["payload"]["who"] == name]
        assert numbers == list(range(100))


def test_i3_a_follower_that_resumes_sees_no_event_twice(database: Database) -> None:
    for number in range(10):
        database.write(lambda tx, n=number: journal.append(tx, "worker.output", {"n": n}))  # type: ignore[misc]
    first = tail(database.path, since=0, stop=lambda: True)
    half = [next(first) for _ in range(4)]

    rest = list(tail(database.path, since=half[-1]["seq"], stop=lambda: True))

    assert [event["payload"]["n"] for event in half + rest] == list(range(10))


def test_a_follower_can_choose_a_workflow_and_types(database: Database) -> None:
    database.write(lambda tx: _workflow(tx, "wf-bbbbbbbb"))
    for id in ("wf-aaaaaaaa", "wf-bbbbbbbb"):
        database.write(lambda tx, id=id: fire(tx, WORKFLOW, id, "start"))  # type: ignore[misc]
        database.write(lambda tx, id=id: journal.append(tx, "worker.ready", workflow_id=id))  # type: ignore[misc]

    found = tail(
        database.path,
        since=0,
        wanted=EventFilter(types=["workflow.*"], workflows=["wf-bbbbbbbb"]),
        stop=lambda: True,
    )

    assert [(e["type"], e["workflow_id"]) for e in found] == [("workflow.started", "wf-bbbbbbbb")]


def test_every_writing_connection_is_durable_and_checks_keys(database: Database) -> None:
    with database.reader() as reader:
        rules = backend.rules(reader._connection)
    assert (rules["journal_mode"], rules["synchronous"], rules["foreign_keys"]) == ("wal", 2, 1)


def test_the_sqlite_of_this_process_is_free_of_the_wal_race_where_a_wheel_exists() -> None:
    if sys.platform == "linux":
        assert dbapi_is_safe, dbapi.sqlite_version


def test_i4_only_the_migrations_issue_ddl() -> None:
    root = Path(__file__).resolve().parents[2] / "perles"
    ddl = ("create table", "alter table", "drop table", "create index", "create_all")
    guilty = [
        str(path)
        for path in root.rglob("*.py")
        if any(word in path.read_text().lower() for word in ddl)
    ]

    assert guilty == []


def test_i4_a_newer_database_is_refused(database: Database) -> None:
    _set_version(database.path, "9999")

    with pytest.raises(DatabaseError, match="newer than this perles"):
        migrate.ensure(database.path)
    with pytest.raises(DatabaseError, match="newer"), reading(database.path):
        pass


def test_i4_a_new_database_is_what_the_migrations_make(tmp_path: Path) -> None:
    at_once, by_steps = tmp_path / "one" / "new.db", tmp_path / "two" / "new.db"
    found = []
    for path, make in ((at_once, migrate.ensure), (by_steps, migrate.upgrade_by_steps)):
        path.parent.mkdir()
        make(path)
        with closing(open_readonly(str(path))) as connection:
            objects = connection.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master "
                "WHERE name != 'sqlite_sequence' ORDER BY type, name"
            ).fetchall()
            rows = [
                [tuple(row) for row in connection.execute(f"SELECT * FROM {one['name']}")]
                for one in objects
                if one["type"] == "table"
            ]
        found.append(([tuple(one) for one in objects], rows, path.stat().st_mode & 0o777))

    assert found[0] == found[1]
    assert len(found[0][0]) > 50


def test_i4_a_file_that_holds_something_is_upgraded_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with closing(dbapi.connect(str(path))) as connection:
        connection.execute("CREATE TABLE keepsake (x)")

    assert not migrate.is_made_at_once(path)
    migrate.ensure(path)

    assert migrate.is_current(path)
    with closing(open_readonly(str(path))) as connection:
        assert connection.execute("SELECT count(*) FROM keepsake").fetchone()[0] == 0


def test_i4_an_older_database_is_backed_up_before_anything_is_done_to_it(tmp_path: Path) -> None:
    path = tmp_path / "perles.db"
    old = dbapi.connect(str(path))
    old.execute("CREATE TABLE alembic_version (version_num TEXT NOT NULL)")
    old.execute("INSERT INTO alembic_version VALUES ('0000')")
    old.execute("CREATE TABLE keepsake (x)")
    old.commit()
    old.close()

    with pytest.raises(DatabaseError, match="schema 0000 is unknown"):
        migrate.ensure(path)

    kept = dbapi.connect(str(path.with_name("perles.db.bak-0000")))
    assert kept.execute("SELECT count(*) FROM keepsake").fetchone() == (0,)
    kept.close()


def test_a_fresh_database_is_made_once_by_many_processes(tmp_path: Path) -> None:
    path = tmp_path / "perles.db"
    script = (
        "import sys; from pathlib import Path; from perles.store import migrate;"
        "print(migrate.ensure(Path(sys.argv[1])))"
    )
    made = [
        subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in made:
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()

    assert migrate.is_current(path)
    assert (path.stat().st_mode & 0o777) == 0o600


def test_views_read_bare_with_sqlite3(database: Database) -> None:
    connection = dbapi.connect(str(database.path))
    row = connection.execute("SELECT id, name, state FROM workflow_overview").fetchone()
    assert row == ("wf-aaaaaaaa", "n", "pending")
    for view in ("agent_overview", "running_workflows", "resource_usage", "recent_events"):
        connection.execute(f"SELECT * FROM {view}").fetchall()
    payload = connection.execute("SELECT payload FROM events").fetchone()
    assert payload is None or json.loads(payload[0])
    connection.close()


def _set_version(path: Path, version: str) -> None:
    connection = dbapi.connect(str(path))
    connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.commit()
    connection.close()


def test_a_database_that_is_made_while_its_version_is_looked_up_has_one(tmp_path: Path) -> None:
    path = tmp_path / "perles.db"

    class Meanwhile:
        """Has the database made by somebody else once a look has found nothing."""

        def __init__(self, real: dbapi.Connection) -> None:
            self._real = real

        def execute(self, text: str, *values: Any) -> Any:
            try:
                return self._real.execute(text, *values)
            except dbapi.OperationalError:
                migrate.ensure(path)
                raise

    with closing(dbapi.connect(path)) as connection:
        assert schema_version(Meanwhile(connection)) == HEAD  # type: ignore[arg-type]


def test_what_is_wrong_with_a_database_is_not_taken_for_a_new_one(database: Database) -> None:
    with closing(dbapi.connect(database.path)) as connection:
        connection.execute("ALTER TABLE alembic_version RENAME COLUMN version_num TO other")

        with pytest.raises(dbapi.Error, match="version_num"):
            schema_version(connection)
