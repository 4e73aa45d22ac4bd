"""After a crash: find out what became of every open turn, before any command is taken.

Agents outlive the engine, so a turn that the database calls open is one of:
alive (adopted: watched and tailed from its offset), ended (its outcome is read
from its files), or never started (lost: its messages wait again).
"""

from perles.agents import bounds, families, process
from perles.agents.identity import is_alive
from perles.domain.errors import DatabaseError
from perles.engine import fault, queries
from perles.engine.beginning import ran, running
from perles.engine.context import Context, log
from perles.engine.live import LiveTurn
from perles.engine.orphans import end_orphans
from perles.engine.outcome import Ending
from perles.engine.supervisor import GRACE
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Agent, Turn, Workflow


async def reconcile(context: Context) -> None:
    """Adopt, finish or lose every open turn, and serve running workflows again."""
    counts = dict.fromkeys(("adopted", "finished", "lost", "failed", "workflows", "orphans"), 0)
    counts["orphans"] = await end_orphans(context)
    moved = set()
    for workflow in context.reader.all(Workflow, queries.RUNNING_WORKFLOWS):
        if await _reopen(context, workflow):
            moved.add(workflow.id)
        counts["workflows"] += 1
    for turn in context.reader.all(Turn, queries.OPEN_TURNS):
        counts[await _settle_or_fail(context, turn, cut_off=turn.workflow_id in moved)] += 1
    await context.supervisor.settle_ports()
    if any(counts.values()):
        log.info("reconciled: %s", counts)
        await context.writer.write(lambda tx: _record(tx, counts))


async def _reopen(context: Context, workflow: Workflow) -> bool:
    """Serve a workflow again, or pause it where that raises; whether it had to move."""
    try:
        return await context.supervisor.reopen(workflow)
    except DatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - the bulkhead: the other workflows go on
        log.error("cannot serve workflow %s again", workflow.id, exc_info=error)
        reason = f"it could not be served again: {error!r:.300}; perles resume goes on with it"
        await context.supervisor.pause(workflow.id, reason=bounds.encodable(reason))
        return False


async def _settle_or_fail(context: Context, turn: Turn, *, cut_off: bool) -> str:
    """`_settle`; a turn that raises what nobody expected fails, and no other."""
    try:
        return await _settle(context, turn, cut_off=cut_off)
    except DatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - the bulkhead
        try:
            await context.turns.abandon(turn, error)
        except DatabaseError:
            raise
        except Exception:  # noqa: BLE001 - the bulkhead
            log.exception("turn %s is left as it is", turn.id)
    return "failed"


async def _settle(context: Context, turn: Turn, *, cut_off: bool) -> str:
    """See what became of a turn. `cut_off`: its agent's port or token is of no use now."""
    agent = context.reader.need(Agent, turn.agent_id)
    workflow = context.reader.need(Workflow, agent.workflow_id)
    provider = context.provider(agent.provider, agent.role, workflow)
    environ = context.environ_of(workflow)
    live = LiveTurn.of(turn, agent, provider, context, environ)
    left = process.left_status(live.files.status)
    if left is None and not _is_right(live):
        # The engine died between spawn and commit, or somebody changed the row.
        live.identity = process.find_launcher(live.marker, live.files)
    await _commit_start(context, turn, live, began=left is not None)
    if not _is_right(live):
        live.identity, live.ended_unserved = None, True
        await context.turns.finish(live)
        return "lost" if left is None else "finished"
    context.turns.watch(live)
    fault.at("reconcile.adopted")
    if cut_off:
        await context.turns.interrupt([live], Ending("lose", "turn_ended"), grace=GRACE)
    elif context.reader.need(Workflow, turn.workflow_id).state != "running":
        await context.turns.interrupt([live], Ending("interrupt", "pause"), grace=GRACE)
    return "adopted"


def _is_right(live: LiveTurn) -> bool:
    """Whether the process that the row names lives, and is this turn's."""
    return (
        live.identity is not None
        and is_alive(live.identity)
        and families.carries(live.identity, live.marker)
    )


async def _commit_start(context: Context, turn: Turn, live: LiveTurn, *, began: bool) -> None:
    """Commit what the engine that died could not: that the turn's process was started."""
    if turn.status != "starting":
        return
    if live.identity is not None:
        found = live.identity
        await context.writer.write(lambda tx: running(tx, turn.id, found))
    elif began or live.has_grown():
        await context.writer.write(lambda tx: ran(tx, turn.id))


def _record(tx: Tx, counts: dict[str, int]) -> None:
    if counts["adopted"]:
        journal.append(tx, "engine.adopted", {"turns": counts["adopted"]})
    journal.append(tx, "engine.reconciled", counts)
