"""The names that a task needs while it runs: taken all at once, or waited for in line.

Names are held by tasks, not by workers or processes: from the moment when a worker gets the task
until it is done, failed, skipped or tried again. A workflow that is paused or ended holds none; one
that goes on takes them again before its worker does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from perles.domain.clock import from_text
from perles.domain.named_limits import MARK, PATIENCE, Claim, in_words, next_in_line
from perles.domain.priority import rank
from perles.domain.states import TaskStatus
from perles.fabric import messages
from perles.store import named_leases
from perles.store.events import journal
from perles.store.reader import Reader
from perles.store.schema.resources import NamedLease
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks.stored_execution import execution_of


class Waiter(NamedTuple):
    """A task that waits for its names; `may_pass`: its turn came, and it did not take them."""

    claim: Claim
    workflow_id: str
    key: str
    status: str
    is_told: bool
    may_pass: bool


def wanted_by(task: Task) -> dict[str, int]:
    """The names that a task needs, each with how many may hold it."""
    return dict(execution_of(task).limits) if MARK in task.execution else {}


def take(tx: Tx, task: Task) -> str | None:
    """Take all names of a task; None where it has them, else what it waits for, now in line."""
    wanted = wanted_by(task)
    if not wanted:
        return None
    rows = {row.name: row for row in tx.all(NamedLease, named_leases.OF_TASK, task_id=task.id)}
    if rows and all(row.acquired_at is not None for row in rows.values()):
        return None
    asked = min((row.asked_at for row in rows.values()), default=tx.now)
    mine = Claim(task.id, wanted, _rank(asked, tx.need(Workflow, task.workflow_id).priority))
    waiters = line(tx, from_text(tx.now))
    others = [one.claim for one in waiters if one.claim.task_id != task.id and not one.may_pass]
    met = mine in next_in_line([*others, mine], held(tx))
    for name in sorted(wanted):
        _claim(tx, task, rows.get(name), name, wanted[name], asked, granted=met)
    return None if met else "; ".join(in_words(name, wanted[name]) for name in sorted(wanted))


def _claim(
    tx: Tx, task: Task, row: NamedLease | None, name: str, size: int, asked: str, *, granted: bool
) -> None:
    values: dict[str, Any] = {"acquired_at": tx.now if granted else None}
    if row is None:
        about: dict[str, Any] = {"name": name, "size": size, "asked_at": asked, "told_at": None}
        about |= {"task_id": task.id, "workflow_id": task.workflow_id}
        id = tx.insert(NamedLease, **about, **values)
        if not granted:
            reason = f"waiting for {in_words(name, size)}"
            payload = {"kind": "limit", "name": name, "key": task.key, "reason": reason}
            journal.append(
                tx,
                "resource.exhausted",
                payload,
                workflow_id=task.workflow_id,
                task_id=task.id,
            )
    else:
        id = row.id
        if granted:
            tx.update(NamedLease, id, **values)
    if granted:
        named_leases.tell(tx, "resource.lease_granted", tx.need(NamedLease, id))


def held(reader: Reader) -> dict[str, list[int]]:
    """The names that are held, each with the sizes of its holders."""
    found: dict[str, list[int]] = {}
    for row in reader.rows(named_leases.HELD):
        found.setdefault(row["name"], []).append(row["size"])
    return found


def line(reader: Reader, now: datetime) -> list[Waiter]:
    """The tasks of running workflows that wait for names."""
    rows: dict[int, list[Any]] = {}
    for row in reader.rows(named_leases.WAITING):
        rows.setdefault(row["task_id"], []).append(row)
    return [_waiter(found, now) for found in rows.values()]


def _waiter(rows: Sequence[Any], now: datetime) -> Waiter:
    first = rows[0]
    wants = {row["name"]: row["size"] for row in rows}
    asked = min(row["asked_at"] for row in rows)
    told = max((row["told_at"] for row in rows if row["told_at"]), default=None)
    # Beyond its patience, or told in the future of a clock that was set back since.
    waited = 0.0 if told is None else (now - from_text(told)).total_seconds()
    return Waiter(
        claim=Claim(first["task_id"], wants, _rank(asked, first["priority"])),
        workflow_id=first["workflow_id"],
        key=first["key"],
        status=first["status"],
        is_told=told is not None,
        may_pass=not 0.0 <= waited <= PATIENCE,
    )


def offers(reader: Reader, now: datetime) -> list[Waiter]:
    """The tasks whose turn it is, and that were not told yet."""
    waiters = line(reader, now)
    met = _met(reader, waiters)
    return [one for one in waiters if one.claim.task_id in met and not one.is_told]


def _met(reader: Reader, waiters: Sequence[Waiter]) -> set[int]:
    """The ids of the tasks in line that can have their names now."""
    if not waiters:
        return set()
    keep = [one.claim for one in waiters if not one.may_pass]
    return {claim.task_id for claim in next_in_line(keep, held(reader))}


def offer(tx: Tx) -> None:
    """Tell the coordinators of tasks whose turn it is. One that a worker has goes on by itself."""
    for waiter in offers(tx, from_text(tx.now)):
        for row in tx.all(NamedLease, named_leases.OF_TASK, task_id=waiter.claim.task_id):
            tx.update(NamedLease, row.id, told_at=tx.now)
        if waiter.status == TaskStatus.READY:
            names = ", ".join(in_words(*one) for one in sorted(waiter.claim.wants.items()))
            body = f"{names}: free now, and {waiter.key} is next; assign_task gives it to a worker"
            about = {"sender": "perles", "kind": "system", "body": body}
            messages.tell_coordinator(tx, waiter.workflow_id, **about)


def held_up(reader: Reader, now: datetime) -> set[int]:
    """The ids of tasks that wait and cannot have their names now."""
    waiters = line(reader, now)
    keep = {one.claim.task_id for one in waiters if not one.may_pass}
    return keep - _met(reader, waiters)


def _rank(asked: str, priority: int) -> float:
    return rank(from_text(asked).timestamp(), priority)
