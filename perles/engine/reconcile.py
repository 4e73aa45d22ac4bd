"""After a crash: find out what became of every open turn, before any command is taken.

Agents outlive the engine, so a turn that the database calls open is one of:
alive (adopted: watched and tailed from its offset), ended (its outcome is read
from its files), or never started (lost: its messages wait again).
"""

from perles.agents import families, process
from perles.agents.identity import is_alive
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
    counts = {"adopted": 0, "finished": 0, "lost": 0, "workflows": 0, "orphans": 0}
    counts["orphans"] = await end_orphans(context)
    moved = set()
    for workflow in context.reader.all(Workflow, queries.RUNNING_WORKFLOWS):
        if await context.supervisor.reopen(workflow):
            moved.add(workflow.id)
        counts["workflows"] += 1
    for turn in context.reader.all(Turn, queries.OPEN_TURNS):
        counts[await _settle(context, turn, cut_off=turn.workflow_id in moved)] += 1
    await context.supervisor.settle_ports()
    if any(counts.values()):
        log.info("reconciled: %s", counts)
        await context.writer.write(lambda tx: _record(tx, counts))


async def _settle(context: Context, turn: Turn, *, cut_off: bool) -> str:
    """See what became of a turn. `cut_off`: its agent's port or token is of no use now."""
    agent = context.reader.need(Agent, turn.agent_id)
    provider = context.provider(agent.provider, agent.role)
    live = LiveTurn.of(turn, agent, provider, context.policy, context.environ)
    left = process.left_status(live.files.status)
    if left is None and not _is_right(live):
        # The engine died between spawn and commit, or somebody changed the row.
        live.identity = process.find_launcher(live.marker, live.files)
    await _commit_start(context, turn, live, began=left is not None)
    if not _is_right(live):
        live.identity = None
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
