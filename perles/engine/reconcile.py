"""After a crash: find out what became of every open turn, before any command is taken.

Agents outlive the engine, so a turn that the database calls open is one of:
alive (adopted: watched and tailed from its offset), ended (its outcome is read
from its files), or never started (lost: its messages wait again).
"""

from pathlib import Path

from perles.agents import process
from perles.agents.output import catch_up
from perles.agents.process import Identity, TurnFiles
from perles.agents.provider import Outcome
from perles.engine import queries
from perles.engine.context import Context, log
from perles.engine.orphans import end_orphans
from perles.engine.outcome import Ending, conclude
from perles.engine.turns import LiveTurn, running
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Agent, Turn, Workflow


async def reconcile(context: Context) -> None:
    """Adopt, finish or lose every open turn, and serve running workflows again."""
    counts = {"adopted": 0, "finished": 0, "lost": 0, "workflows": 0, "orphans": 0}
    counts["orphans"] = await end_orphans(context)
    for workflow in context.reader.all(Workflow, queries.RUNNING_WORKFLOWS):
        await context.supervisor.reopen(workflow)
        counts["workflows"] += 1
    for turn in context.reader.all(Turn, queries.OPEN_TURNS):
        counts[await _settle(context, turn)] += 1
    if any(counts.values()):
        log.info("reconciled: %s", counts)
        await context.writer.write(lambda tx: _record(tx, counts))


async def _settle(context: Context, turn: Turn) -> str:
    agent = context.reader.need(Agent, turn.agent_id)
    live = live_turn(context, turn, agent)
    if live.identity is None:
        live.identity = _find_unrecorded(live)
        if live.identity is None:
            await context.writer.write(lambda tx: _lose(tx, live))
            return "lost"
        found = live.identity
        await context.writer.write(lambda tx: _record_identity(tx, turn, found))
    alive = process.is_alive(live.identity)
    if not alive and process.left_status(live.files.status) is None:
        await context.writer.write(lambda tx: _lose(tx, live))
        return "lost"
    context.turns.watch(live)
    return "adopted" if alive else "finished"


def live_turn(context: Context, turn: Turn, agent: Agent) -> LiveTurn:
    """The turn of a row, ready to be watched from where its output was read to."""
    provider = context.provider(agent.provider, agent.role)
    files = TurnFiles.at(Path(turn.stdout_path))
    parser = provider.parser(journal.decode(agent.session_totals))
    if not provider.prints_text_only:
        catch_up(files.stdout, turn.stdout_offset, parser)
    identity = None
    if turn.pid is not None and turn.start_ticks is not None and turn.boot_id is not None:
        identity = Identity(turn.pid, turn.start_ticks, turn.boot_id)
    return LiveTurn(
        turn_id=turn.id,
        workflow_id=turn.workflow_id,
        agent_id=agent.id,
        agent=agent.name,
        role=agent.role,
        files=files,
        parser=parser,
        text_only=provider.prints_text_only,
        has_mcp=provider.has_mcp,
        offset=turn.stdout_offset,
        identity=identity,
    )


def _find_unrecorded(live: LiveTurn) -> Identity | None:
    """The launcher where an engine died between spawn and commit: the oldest of the family."""
    found = [process.identify(pid) for pid in process.family([live.marker])]
    return min(
        (identity for identity in found if identity is not None),
        key=lambda identity: (identity.start_ticks, identity.pid),
        default=None,
    )


def _record_identity(tx: Tx, turn: Turn, identity: Identity) -> None:
    if turn.status == "starting":
        running(tx, turn.id, identity)


def _lose(tx: Tx, live: LiveTurn) -> None:
    """Nobody knows how the turn ended: its messages wait again, and say so."""
    batch = live.read(ended=True)
    ending = Ending("lose", "turn_ended")
    outcome = Outcome(False, "lost", "the turn was cut off and nobody knows how it ended")
    conclude(tx, live, ending, outcome, exit_code=None, last=batch)


def _record(tx: Tx, counts: dict[str, int]) -> None:
    if counts["adopted"]:
        journal.append(tx, "engine.adopted", {"turns": counts["adopted"]})
    journal.append(tx, "engine.reconciled", counts)
