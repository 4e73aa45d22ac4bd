"""The bus: filters, labels, and cursors that lose and repeat nothing over a restart."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.domain.clock import ManualClock
from perles.domain.errors import UsageError
from perles.store import migrate
from perles.store.database import Database
from perles.store.events import cursors, journal
from perles.store.events.bus import NOTIFY, CrossWorkflowEventBus
from perles.store.events.tail import BATCH
from perles.store.schema.workflows import Workflow, WorkflowLabel
from perles.store.transaction import Tx
from tests.integration.cli import DEADLINE

ONE, TWO, THREE = "wf-aaaaaaaa", "wf-bbbbbbbb", "wf-cccccccc"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    migrate.ensure(tmp_path / "perles.db")
    made = Database(tmp_path / "perles.db", ManualClock())
    for id, labels in ((ONE, {"team": "core", "env": "ci"}), (TWO, {"team": "core"}), (THREE, {})):
        made.write(lambda tx, id=id, labels=labels: _workflow(tx, id, labels))  # type: ignore[misc]
    yield made
    made.dispose()


@pytest.fixture
def bus(database: Database) -> CrossWorkflowEventBus:
    return CrossWorkflowEventBus(database.path, database.write)


def _workflow(tx: Tx, id: str, labels: dict[str, str]) -> None:
    tx.insert(Workflow, id=id, template_id="t", name="n", state="pending", work_dir="/")
    for key, value in labels.items():
        tx.insert(WorkflowLabel, workflow_id=id, key=key, value=value)


def _tell(database: Database, numbers: range, type: str = "worker.output", id: str = ONE) -> None:
    def write(tx: Tx) -> None:
        for number in numbers:
            journal.append(tx, type, {"n": number}, workflow_id=id)

    database.write(write)


def _at_once() -> Callable[[], bool]:
    return lambda: True


def _numbers(events: Iterator[dict[str, Any]]) -> list[int]:
    return [event["payload"]["n"] for event in events]


def test_a_subscription_begins_now_or_after_a_seq(
    database: Database, bus: CrossWorkflowEventBus
) -> None:
    _tell(database, range(3))

    now, all_of_them = bus.subscribe(stop=_at_once()), bus.subscribe(since=0, stop=_at_once())
    _tell(database, range(3, 5))

    assert _numbers(now) == [3, 4]
    assert _numbers(all_of_them) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"types": "worker.*"}, [2, 3, 4]),
        ({"types": "worker.*, task.*"}, [2, 3, 4, 5]),
        ({"types": ["task.*", "engine.*"]}, [5, 6]),
        ({"exclude": "worker.*,task.*"}, [1, 6]),
        ({"types": "worker.*", "exclude": ["worker.ready"]}, [2, 3]),
        ({"workflows": TWO}, [3]),
        ({"workflows": [ONE, TWO]}, [1, 2, 3, 5]),
        ({"labels": {"team": "core"}}, [1, 2, 3, 5]),
        ({"labels": {"team": "core", "env": "ci"}}, [1, 2, 5]),
        ({"labels": [("team", "core")], "workflows": [TWO, THREE]}, [3]),
        ({"labels": {"team": "core"}, "types": "worker.*", "exclude": "*.ready"}, [2, 3]),
        ({"labels": {"team": "other"}}, []),
    ],
)
def test_filters(
    database: Database, bus: CrossWorkflowEventBus, wanted: dict[str, Any], found: list[int]
) -> None:
    for number, type, id in (
        (1, "workflow.created", ONE),
        (2, "worker.output", ONE),
        (3, "worker.output", TWO),
        (4, "worker.ready", THREE),
        (5, "task.created", ONE),
        (6, "engine.started", None),
    ):
        database.write(
            lambda tx, t=type, n=number, id=id: journal.append(tx, t, {"n": n}, workflow_id=id)  # type: ignore[misc]
        )

    assert _numbers(bus.subscribe_filtered(**wanted, since=0, stop=_at_once())) == found


def test_labels_also_choose_workflows_that_come_later(
    database: Database, bus: CrossWorkflowEventBus
) -> None:
    events = bus.subscribe_filtered(labels={"team": "new"}, stop=_at_once())

    database.write(lambda tx: _workflow(tx, "wf-dddddddd", {"team": "new"}))
    _tell(database, range(2), id="wf-dddddddd")
    _tell(database, range(2, 4), id=THREE)

    assert _numbers(events) == [0, 1]


def test_one_workflow(database: Database, bus: CrossWorkflowEventBus) -> None:
    _tell(database, range(2))
    _tell(database, range(2, 4), id=TWO)

    assert _numbers(bus.subscribe_workflow(TWO, since=0, stop=_at_once())) == [2, 3]
    assert not list(bus.subscribe_workflow(TWO, types="task.*", since=0, stop=_at_once()))


def test_events_that_do_not_fit_keep_nobody_from_those_that_do(
    database: Database, bus: CrossWorkflowEventBus
) -> None:
    looks: list[int] = []

    def stop() -> bool:
        looks.append(1)
        if len(looks) < 3:  # between two looks: what does not fit, then one that does
            _tell(database, range(BATCH + 1), type="worker.ready")
            _tell(database, range(len(looks), len(looks) + 1))
        return len(looks) == 4

    found = _numbers(bus.subscribe_filtered(types="worker.output", since=0, stop=stop))

    assert found == [1, 2]


def test_a_cursor_goes_on_where_it_stood(database: Database, bus: CrossWorkflowEventBus) -> None:
    with bus.subscribe(cursor="report", stop=_at_once()) as events:
        _tell(database, range(6))
        first = [next(events)["payload"]["n"] for _ in range(3)]
    again = CrossWorkflowEventBus(database.path, database.write)
    _tell(database, range(6, 8))

    rest = _numbers(again.subscribe(cursor="report", stop=_at_once()))

    assert (first, rest) == ([0, 1, 2], [3, 4, 5, 6, 7])
    assert _numbers(again.subscribe(cursor="report", stop=_at_once())) == []


def test_a_cursor_that_saw_nothing_yet_misses_nothing(
    database: Database, bus: CrossWorkflowEventBus
) -> None:
    _tell(database, range(2))
    bus.subscribe(cursor="report", stop=_at_once()).close()
    _tell(database, range(2, 4))

    assert _numbers(bus.subscribe(cursor="report", stop=_at_once())) == [2, 3]


def test_what_failed_is_delivered_again_and_nothing_else(
    database: Database, bus: CrossWorkflowEventBus
) -> None:
    _tell(database, range(4))
    handled: list[int] = []

    def handle_all() -> None:
        with bus.subscribe(since=0, cursor="report", stop=_at_once()) as events:
            for event in events:
                handled.append(6 // (2 - event["payload"]["n"]))

    with pytest.raises(ZeroDivisionError):
        handle_all()

    assert handled == [3, 6]
    assert _numbers(bus.subscribe(cursor="report", stop=_at_once())) == [2, 3]


def test_cursors_are_apart_and_can_be_forgotten(
    database: Database, bus: CrossWorkflowEventBus
) -> None:
    _tell(database, range(2))
    for name in ("a", "b"):
        assert _numbers(bus.subscribe(since=0, cursor=name, stop=_at_once())) == [0, 1]

    assert bus.forget("a")
    assert not bus.forget("a")

    assert _numbers(bus.subscribe(since=0, cursor="a", stop=_at_once())) == [0, 1]
    assert _numbers(bus.subscribe(since=0, cursor="b", stop=_at_once())) == []


_READER = """
import sys
from pathlib import Path
from perles.store.database import Database
from perles.store.events.bus import CrossWorkflowEventBus

path = Path(sys.argv[1])
bus = CrossWorkflowEventBus(path, Database(path).write)
for event in bus.subscribe(since=0, cursor="killed"):
    print(event["payload"]["n"], flush=True)
"""


def test_a_killed_subscriber_loses_nothing(database: Database, bus: CrossWorkflowEventBus) -> None:
    _tell(database, range(200))
    child = subprocess.Popen(
        [sys.executable, "-c", _READER, str(database.path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    seen = [int(child.stdout.readline()) for _ in range(20)]
    child.send_signal(signal.SIGKILL)
    seen += [int(line) for line in child.communicate(timeout=DEADLINE)[0].splitlines()]

    rest = _numbers(bus.subscribe(cursor="killed", stop=_at_once()))

    assert seen == list(range(len(seen)))
    # The one that was being handled comes again, no other.
    assert rest == list(range(rest[0], 200))
    assert len(seen) - 1 <= rest[0] <= len(seen)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, NOTIFY])
def test_a_name_that_no_cursor_can_have(bus: CrossWorkflowEventBus, name: str) -> None:
    with pytest.raises(UsageError, match="cannot use the cursor"):
        bus.subscribe(cursor=name)
    with pytest.raises(UsageError, match="cannot use the cursor"):
        bus.forget(name)


def test_a_bus_that_only_reads_has_no_cursors(database: Database) -> None:
    with pytest.raises(UsageError, match="only reads"):
        CrossWorkflowEventBus(database.path).subscribe(cursor="report")


def test_notifications_keep_their_place_by_the_same_cursors(database: Database) -> None:
    _tell(database, range(3))
    began = database.write(lambda tx: cursors.begin(tx, NOTIFY))
    _tell(database, range(3, 5))
    assert database.write(lambda tx: cursors.begin(tx, NOTIFY)) == began

    database.write(lambda tx: cursors.move(tx, NOTIFY, began + 2))

    assert database.write(lambda tx: cursors.begin(tx, NOTIFY)) == began + 2
