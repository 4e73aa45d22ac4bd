"""Turns: an agent's queued messages become one prompt, one process, and one outcome.

A turn row is committed before its process starts, the process's identity right
after; its output is read from its file, and each piece goes to the journal in
one transaction with the offset it was read to. When the process has ended and
the file is drained, the outcome is decided and applied by turn id.
"""

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import Final

from perles.agents import sandbox
from perles.agents.environment import allowed, without_proxied_loopback
from perles.agents.provider import Launch, Outcome, launches_at_once
from perles.domain.errors import DatabaseError, PerlesError, UsageError
from perles.domain.secrecy import texts_of
from perles.engine import crash_points
from perles.engine.context import Context, log
from perles.engine.remote_turns import Elsewhere
from perles.engine.turns import metering, queue
from perles.engine.turns.ending import Ending
from perles.engine.turns.finish import TurnFinisher
from perles.engine.turns.limits import TurnLimits
from perles.engine.turns.live import LiveTurn
from perles.engine.turns.start import Begun, begin, kept_token, refused, running, turn_context
from perles.engine.turns.start_pauses import StartPauses, is_no_room, may_pass
from perles.executor.contract import Batch, SpawnError
from perles.store.expressions import bindparam, exists, func, select
from perles.store.schema.agents import Agent, Message, ProviderHold, Turn
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql

UNNEEDED: Final = Outcome(False, "crashed", "the workflow was paused or ended before it began")

MIN_SHARE: Final = 10
"""Turns whose output is looked at in one call of `read_all`; with many, each has its round."""
ROUNDS: Final = 20

DELIVERABLE: Final = Sql(
    select(Agent)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Agent.status == "ready",
        Workflow.state == "running",
        Agent.held_until.is_(None) | (Agent.held_until <= bindparam("now")),
        ~exists().where(
            ProviderHold.provider == Agent.provider,
            func.coalesce(ProviderHold.probe_at, ProviderHold.until) > bindparam("now"),
        ),
        exists().where(Message.agent_id == Agent.id, Message.status == "queued"),
    )
    .order_by(Workflow.priority.desc(), Agent.role, Agent.id)
)


class Turns(TurnFinisher):
    """All turns of the engine: started here, read on, and finished."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._limits = TurnLimits()
        self._pauses = StartPauses()
        self._next = 0

    async def deliver(self) -> None:
        """Start a turn for every agent that is ready and has messages."""
        context = self._context
        if self._pauses.hold_all():
            return
        now = context.database.now()
        found = context.reader.all(Agent, DELIVERABLE, now=now)
        ready = [
            agent
            for agent in found
            if context.is_open(agent.workflow_id) and not self._pauses.hold(agent.node)
        ]
        for agent in await queue.admitted(context, ready):
            try:
                await self._start(agent)
            except DatabaseError:
                raise
            except Exception as error:  # noqa: BLE001 - the bulkhead: the other agents go on
                await self._give_up_workflow(agent.workflow_id, error)

    async def _start(self, agent: Agent) -> None:
        context = self._context
        if context.conductor.leads(context.reader, agent):
            await context.writer.write(lambda tx: context.conductor.hear(tx, agent.id))
            context.kick()
            return
        begun = await self._begin(agent)
        crash_points.at("begin.after-commit")
        if begun is not None and begun.agent.node is not None:
            # Another machine may take its time, or not answer at all: nobody here waits for it.
            self._background.start(self._go_on(begun))
        elif begun is not None:
            await self._go_on(begun)

    async def _go_on(self, begun: Begun) -> None:
        """Run a turn that has begun; what it raises ends it."""
        try:
            await self._run(*begun)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            await self.abandon(begun.turn, error)

    async def _begin(self, agent: Agent) -> Begun | None:
        """Commit the agent's turn; one that cannot be prepared has failed."""
        context = self._context
        try:
            base = await metering.base(context, agent)
            token = kept_token(context, agent)
            return await context.writer.write(lambda tx: begin(tx, context, agent.id, base, token))
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            if may_pass(error):
                log.error("cannot prepare a turn of %s yet: %s", agent.name, error)
                self._pauses.begin(agent.node, error)
                return None
            refusal = await context.writer.write(lambda tx: refused(tx, agent.id))
            if refusal is not None:
                await self.abandon(refusal, error)
        return None

    async def _run(self, turn: Turn, agent: Agent, workflow: Workflow) -> None:
        context = self._context
        live = LiveTurn.of(
            turn,
            agent,
            context.provider_of(agent, workflow),
            context,
            context.environ_of(workflow),
        )
        self._live[live.turn_id] = live
        if not context.is_open(workflow.id):
            # It was paused or ended while the row was written: the process is not needed.
            await self._conclude(live, Ending("interrupt", "turn_ended"), UNNEEDED, None)
            return
        if not await self._launch(live, turn, agent, workflow):
            return
        crash_points.at("spawn.after")
        identity = live.identity
        assert identity is not None
        if live.runs_command:
            # Nothing follows from it: its end, which may be near, is written after it.
            context.writer.post(lambda tx: running(tx, live.turn_id, identity))
        else:
            await context.writer.write(lambda tx: running(tx, live.turn_id, identity))
        crash_points.at("running.after-commit")
        self.watch(live)

    async def _launch(self, live: LiveTurn, turn: Turn, agent: Agent, workflow: Workflow) -> bool:
        """Start the process; where that cannot be, the turn is concluded."""
        context = self._context
        provider = context.provider_of(agent, workflow)
        try:
            live.where = await self._elsewhere(turn, agent, workflow)
            prepared = turn_context(context, provider, turn, agent, workflow, live.where)
            environ = allowed(prepared.environ, provider.variables)
            # It looks at programs and configurations, wherever those lie.
            if launches_at_once(provider, prepared):
                launch = provider.launch(prepared)
            else:
                launch = await asyncio.to_thread(provider.launch, prepared)
            handed_out = {prepared.token, *texts_of(launch.env), *launch.secrets} - {""}
            context.database.secrets.tell(workflow.id, handed_out)
            if live.ending is not None:  # it was paused or ended meanwhile
                await self._conclude(live, live.ending, UNNEEDED, None)
                return False
            launch = sandbox.wrapped(
                launch,
                context.providers_of(workflow).sandbox_of(agent.role),
                work_dir=prepared.work_dir,
                session=prepared.folder,
                state=context.paths.root,
                environ=environ,
                repository=(workflow.repository and Path(workflow.repository)) or None,
            )
            for name in launch.unset:
                environ.pop(name, None)
            environ = without_proxied_loopback({**environ, **launch.env})
            launch = replace(launch, env=environ)
            await self._spawn(live, launch, workflow)
        except (PerlesError, OSError) as error:
            ending = Ending("fail", "turn_failed")
            if may_pass(error):
                log.error("cannot start a turn of %s yet: %s", agent.name, error)
                ending = Ending("lose", "turn_ended")
                self._pauses.begin(agent.node, error)
                if agent.node is not None and context.placing is not None and is_no_room(error):
                    context.placing.avoid(agent.node)
            await self._conclude(live, ending, _not_started(error), None)
            return False
        return True

    async def _elsewhere(self, turn: Turn, agent: Agent, workflow: Workflow) -> Elsewhere | None:
        """Where the turn runs, made ready for it; None on this machine. Raises `PerlesError`."""
        if agent.node is None:
            return None
        if self._context.remote is None:
            raise UsageError(f"cannot start on node {agent.node}: there is no cluster any more")
        return await self._context.remote.prepare(turn, agent, workflow)

    async def _spawn(self, live: LiveTurn, launch: Launch, workflow: Workflow) -> None:
        environ = {
            "PERLES_WORKFLOW": live.workflow_id,
            "PERLES_AGENT": live.agent,
            "PERLES_TURN": f"{live.workflow_id}/{live.turn_id}",
        }
        umask = self._context.umask_of(workflow)
        folder = Path(workflow.work_dir) if live.where is None else live.where.work_dir
        await live.process.start(launch, cwd=folder, env=environ, umask=umask)

    async def read_all(self) -> None:
        """Journal what live turns printed, and end turns that exceeded a limit.

        Of very many only a share is looked at in each call.
        """
        lives = list(self._live.values())
        share = max(MIN_SHARE, math.ceil(len(lives) / ROUNDS))
        if len(lives) > share:
            first = self._next % len(lives)
            self._next = first + share
            lives = (lives + lives)[first : first + share]
        await asyncio.gather(*(self._tell_start(live) for live in lives if live.is_starting))
        grown = [live for live in lives if not live.is_broken and self._has_news(live)]
        await asyncio.gather(*(self._read(live) for live in grown))
        due = [live for live in lives if not live.reading.locked() and metering.is_due(live)]
        await asyncio.gather(*(self._meter(live) for live in due if not live.is_broken))

    async def _tell_start(self, live: LiveTurn) -> None:
        """Commit that a process was started, once its node has told which it is."""
        identity = live.identity
        if identity is None or live.reading.locked():
            return
        try:
            async with live.reading:
                if not live.done.is_set():
                    await self._context.writer.write(lambda tx: running(tx, live.turn_id, identity))
                live.is_starting = False
        except DatabaseError as error:  # the next look tells it again
            log.error("cannot note that the turn of %s has started: %s", live.agent, error)

    def _has_news(self, live: LiveTurn) -> bool:
        """Whether the turn printed more; one that goes too far is ended on the way."""
        try:
            ended_by = None if live.ending else self._limits.broken_by(live, self._context.config)
            if ended_by is not None:
                self._background.start(self._end_for(live, ended_by))
            return not live.reading.locked() and live.has_grown()
        except Exception as error:  # noqa: BLE001 - the bulkhead
            self._background.start(self._crash(live, error))
            return False

    async def _read(self, live: LiveTurn) -> None:
        try:
            async with live.reading:
                if live.done.is_set():
                    return  # it was concluded while this waited
                await self._ingest(live)
        except (OSError, DatabaseError) as error:
            if not live.troubled:
                log.error("cannot journal the output of %s now: %s", live.agent, error)
            live.troubled = True
        except Exception as error:  # noqa: BLE001 - the bulkhead
            await self._crash(live, error)
        else:
            live.troubled = False

    async def _meter(self, live: LiveTurn) -> None:
        """Journal what the turn used so far, where its CLI writes that to a file."""
        try:
            async with live.reading:
                event = None if live.done.is_set() else await metering.told(live)
                if event is None:
                    return
                batch = Batch([event], live.offset, True)
                await self._journal(live, batch)
        except DatabaseError as error:  # the next look, or the end, tells it again
            log.error("cannot journal what %s used now: %s", live.agent, error)
        except Exception as error:  # noqa: BLE001 - the bulkhead
            await self._crash(live, error)


def _not_started(error: Exception) -> Outcome:
    kind = "invalid_request" if isinstance(error, PerlesError) else "crashed"
    kind = "crashed" if isinstance(error, SpawnError) else kind
    return Outcome(False, kind, str(error))
