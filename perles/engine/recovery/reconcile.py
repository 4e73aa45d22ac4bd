"""After a crash: find out what became of every open turn, before any command is taken.

Agents outlive the engine, so a turn that the database calls open is one of:
alive (adopted: watched and tailed from its offset), ended (its outcome is read
from its files), or never started (lost: its messages wait again).
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence, Set
from typing import Any, TypeVar

from perles.agents import bounds
from perles.agents.builtin.secrets import handed_over
from perles.domain.errors import DatabaseError
from perles.engine import crash_points
from perles.engine.context import log
from perles.engine.recovery.orphans import end_orphans
from perles.engine.services import Services
from perles.engine.turns.ending import Ending
from perles.engine.turns.live import LiveTurn
from perles.engine.turns.start import ran, running
from perles.executor.contract import STOP_GRACE, TurnFiles
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx

T = TypeVar("T")


async def reconcile(services: Services) -> None:
    """Adopt, finish or lose every open turn, and serve running workflows again."""
    counts = dict.fromkeys(("adopted", "finished", "lost", "failed", "workflows", "orphans"), 0)
    counts["orphans"] = await end_orphans(services)
    workflows = services.reader.all(Workflow, statements.RUNNING_WORKFLOWS)
    counts["workflows"] = len(workflows)
    had_to_move = await _all(_reopen(services, workflow) for workflow in workflows)
    moved = {workflow.id for workflow, did in zip(workflows, had_to_move, strict=True) if did}
    turns = services.reader.all(Turn, statements.OPEN_TURNS)
    if services.is_errand:
        # Only an engine that has the cluster can tell what became of those on nodes.
        turns = [one for one in turns if services.reader.need(Agent, one.agent_id).node is None]
    for became in await _all(_settle_or_fail(services, turn) for turn in turns):
        counts[became] += 1
    await _end_adopted(services, turns, moved)
    await services.supervisor.settle_ports()
    if any(counts.values()):
        log.info("reconciled: %s", counts)
        await services.writer.write(lambda tx: _record(tx, counts))


async def _all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all pieces of work, done side by side: their writes share commits.

    Raises what a piece raises, once all have ended.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    failed = next((result for result in results if isinstance(result, BaseException)), None)
    if failed is not None:
        raise failed
    return [result for result in results if not isinstance(result, BaseException)]


async def _reopen(services: Services, workflow: Workflow) -> bool:
    """Serve a workflow again, or pause it where that raises; whether it had to move."""
    try:
        return await services.supervisor.reopen(workflow)
    except DatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - the bulkhead: the other workflows go on
        log.error("cannot serve workflow %s again", workflow.id, exc_info=error)
        reason = f"it could not be served again: {error!r:.300}; perles resume goes on with it"
        await services.supervisor.pause(workflow.id, reason=bounds.encodable(reason))
        return False


async def _end_adopted(services: Services, turns: Sequence[Turn], moved: Set[str]) -> None:
    """End turns that are of no use now: all at once, as looking through all processes costs."""
    running = {one.id for one in services.reader.all(Workflow, statements.RUNNING_WORKFLOWS)}
    idle = {turn.workflow_id for turn in turns} - running - moved
    live_of, end = services.turns.of_any, services.turns.interrupt
    await end(live_of(moved, ()), Ending("lose", "turn_ended"), grace=STOP_GRACE)
    await end(live_of(idle, ()), Ending("interrupt", "pause"), grace=STOP_GRACE)


async def _settle_or_fail(services: Services, turn: Turn) -> str:
    """`_settle`; a turn that raises what nobody expected fails, and no other."""
    try:
        return await _settle(services, turn)
    except DatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - the bulkhead
        try:
            await services.turns.abandon(turn, error)
        except DatabaseError:
            raise
        except Exception:  # noqa: BLE001 - the bulkhead
            log.exception("turn %s is left as it is", turn.id)
    return "failed"


async def _settle(services: Services, turn: Turn) -> str:
    """See what became of a turn."""
    agent = services.reader.need(Agent, turn.agent_id)
    workflow = services.reader.need(Workflow, agent.workflow_id)
    provider = services.provider_of(agent, workflow)
    environ = services.environ_of(workflow)
    live = LiveTurn.of(turn, agent, provider, services, environ)
    handed = handed_over(TurnFiles.at(services.paths.found(turn.stdout_path)).stdin)
    services.database.secrets.tell(workflow.id, handed)
    left = live.process.status()
    # The engine may have died between spawn and commit, or somebody changed the row.
    await live.process.attach()
    await _commit_start(services, turn, live, began=left is not None)
    if not live.process.lives():
        live.process.identity, live.ended_unserved = None, True
        await services.turns.finish(live)
        return "lost" if left is None else "finished"
    services.turns.watch(live)
    crash_points.at("reconcile.adopted")
    return "adopted"


async def _commit_start(services: Services, turn: Turn, live: LiveTurn, *, began: bool) -> None:
    """Commit what the engine that died could not: that the turn's process was started."""
    if turn.status != "starting":
        return
    if live.identity is not None:
        found = live.identity
        await services.writer.write(lambda tx: running(tx, turn.id, found))
    elif began or live.has_grown():
        await services.writer.write(lambda tx: ran(tx, turn.id))
    else:
        live.is_starting = True  # its node may tell later


def _record(tx: Tx, counts: dict[str, int]) -> None:
    if counts["adopted"]:
        journal.append(tx, "engine.adopted", {"turns": counts["adopted"]})
    journal.append(tx, "engine.reconciled", counts)
