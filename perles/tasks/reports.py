"""A worker's report on its task: by tool, or by its last text where it cannot call tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.config.home import Paths
from perles.domain.output_values import MAX_BYTES, WrittenError, values_of
from perles.domain.provider_choice import BUILTIN
from perles.domain.states import LIVE_TURNS, PHASE
from perles.executor.local.output import is_longer, tail_of
from perles.fabric import messages, posts
from perles.fabric.posts import Author
from perles.store.events import journal
from perles.store.expressions import bindparam, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import comments, fan_out
from perles.workspace import door
from perles.workspace.artifacts import Collected
from perles.workspace.session import turn_values

MAX_OUTPUT: Final = 16 * 1024
"""Characters of a task's output that later tasks may be given."""
_OF_OUTPUT: Final = {"lines": 1000, "limit": MAX_OUTPUT}
_OF_ITEMS: Final = {"lines": 100_000, "limit": 1024 * 1024}
"""How much is kept of what a task printed for whose items others wait."""
REPORTING: Final = ("implementing", "addressing_feedback", "committing")
"""Phases of a worker that is to tell how far its task is."""

OPEN_TURN_OF: Final = Sql(
    select(Turn).where(
        Turn.agent_id == bindparam("agent_id"),
        Turn.status.in_([str(status) for status in LIVE_TURNS]),
    )
)


UNREADABLE: Final = 65
"""The exit code of a command that ended well and wrote what is no values to `$PERLES_OUTPUT`."""
UNKEPT: Final = 66
"""The exit code of a command that ended well, but did not leave the files that are to be kept."""


class Printed(NamedTuple):
    """What a task's command printed: its last lines for people, and what later tasks are given.

    `values` are the ones that it wrote for them; `problem` says why these could not be read.
    """

    tail: list[str]
    output: str
    is_cut: bool = False
    values: Mapping[str, str] = {}
    problem: str = ""


def printed_by(
    reader: Reader, paths: Paths, agent_id: int, *, is_empty: bool = False
) -> Printed | None:
    """What the agent's turn printed so far, for its report; None where it has no turn.

    It is read before the report's transaction: what an agent can reach must not hold that up.
    """
    turn = reader.first(Turn, OPEN_TURN_OF, agent_id=agent_id)
    if turn is None:
        return None
    if is_empty:
        values, problem = _written(turn_values(paths.found(turn.stdout_path)))
        return Printed([], "", values=values, problem=problem)
    task_id = reader.need(Agent, agent_id).task_id
    has_items = task_id is not None and fan_out.feeds(reader, task_id)
    return printed_to(paths.found(turn.stdout_path), has_items=has_items)


def printed_to(path: Path, *, has_items: bool = False) -> Printed:
    """What stands in a file of output, and in that of values beside it.

    Of one that `has_items` for other tasks more is kept.
    """
    values, problem = _written(turn_values(path))
    bounds = _OF_ITEMS if has_items else _OF_OUTPUT
    output = "\n".join(tail_of(path, **bounds))
    is_cut = has_items and is_longer(path, **bounds)
    return Printed(tail_of(path), output, is_cut, values, problem)


def _written(path: Path) -> tuple[dict[str, str], str]:
    try:
        return values_of(door.read_small(path, MAX_BYTES + 1)), ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, WrittenError) as error:
        return {}, f"cannot read what it wrote to $PERLES_OUTPUT: {error}"


def may_report(reader: Reader, agent: Agent) -> bool:
    """Whether the agent has a task in hand that it has not reported on."""
    if agent.role != "worker" or agent.task_id is None or agent.phase not in REPORTING:
        return False
    return agent.phase != "committing" or not has_report(reader.need(Task, agent.task_id))


def has_duty(reader: Reader, agent: Agent) -> bool:
    """Whether a worker is to report on a task, or to decide a review."""
    return agent.phase == "reviewing" or may_report(reader, agent)


def record(
    tx: Tx,
    agent: Agent,
    summary: str,
    exit_code: int | None,
    printed: Printed | None,
    *,
    shown: str = "",
    tells: bool = True,
    left: Collected | None = None,
    **more: Any,
) -> Task:
    """Record the report on the task that the agent has in hand, and tell the coordinator (`tells`).

    `printed` is what the task's command printed, where it had one; `shown` is what git shows of
    the task, for the coordinator; `left` are the files that it left, to be kept; `more` is told
    with the event.
    """
    assert agent.task_id is not None
    task = tx.need(Task, agent.task_id)
    if printed is not None and printed.problem and exit_code == 0:
        exit_code, summary = UNREADABLE, printed.problem
    if left is not None and left.problem and exit_code == 0:
        exit_code, summary = UNKEPT, left.problem
    outputs = _outputs(tx, task, summary, printed)
    if left is not None and left.files:
        outputs["artifacts"] = list(left.files)
    if agent.phase == "committing":
        # What later tasks are given is what the work came to, not that it was committed.
        outputs = {**journal.decode(task.outputs), "reported_attempt": task.attempt}
        comments.add(tx, task, agent.name, "commit", summary)
    else:
        fire(tx, PHASE, agent.id, "report")
        comments.add(tx, task, agent.name, "report", summary)
    tx.update(Task, task.id, exit_code=exit_code, outputs=journal.encode(outputs))
    if agent.silences or agent.blocked is not None:
        tx.update(Agent, agent.id, silences=0, blocked=None)
    journal.append(
        tx,
        "task.reported",
        {"key": task.key, "exit_code": exit_code, "text": summary, **more},
        workflow_id=agent.workflow_id,
        agent_id=agent.id,
        task_id=task.id,
    )
    if tells:
        _tell(tx, agent, task, summary, exit_code, shown)
    return task


def _tell(
    tx: Tx, agent: Agent, task: Task, summary: str, exit_code: int | None, shown: str
) -> None:
    """Tell the coordinator of a report, and the thread of its task."""
    how = "" if exit_code is None else f" (exit {exit_code})"
    what = "the commit of " if agent.phase == "committing" else ""
    body = f"{agent.name} reports on {what}task {task.key}{how}: {summary}{shown}"
    messages.tell_coordinator(tx, agent.workflow_id, sender=agent.name, kind="worker", body=body)
    if agent.provider == BUILTIN:
        return  # one that only runs commands does not talk: its task has no thread
    said = "reported its commit" if agent.phase == "committing" else "reported"
    kind = "completion" if exit_code in (None, 0) else "error"
    posts.in_task_thread(tx, task, Author.of(agent), f"{said}{how}: {summary}", kind)


def _outputs(tx: Tx, task: Task, summary: str, printed: Printed | None) -> dict[str, Any]:
    """What the work came to, for people and for later tasks."""
    outputs: dict[str, Any] = {"summary": summary, "reported_attempt": task.attempt}
    outputs["output"] = summary[:MAX_OUTPUT]
    if sent_back := journal.decode(task.outputs).get("sent_back"):
        outputs["sent_back"] = sent_back  # how often its check sent it back counts on
    if printed is not None:
        printed = Printed(*tx.secrets.mask(tx, task.workflow_id, tuple(printed)))
        outputs["tail"] = printed.tail
        outputs |= {"values": printed.values} if printed.values else {}
        if task.run:
            outputs["output"] = printed.output
        if printed.is_cut:
            outputs["cut"] = True
    return outputs


def has_report(task: Task) -> bool:
    """Whether the task's attempt has been reported on."""
    return bool(journal.decode(task.outputs).get("reported_attempt") == task.attempt)


def by_text(tx: Tx, agent: Agent, said: str) -> None:
    """The report of a worker without tools, whose process ended well: the last it said."""
    if may_report(tx, agent):
        record(tx, agent, said.strip() or "done, without a word", 0, None)
