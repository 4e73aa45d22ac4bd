"""A turn whose process may live: what the engine knows of it beside its row."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from perles.agents import bounds
from perles.agents.builtin.provider import TextParser
from perles.agents.clis.session_log import SessionReader
from perles.agents.pricing import model_of
from perles.agents.provider import Outcome, Parser, Provider, computes, silent_seconds
from perles.config.model import ResourcePolicy
from perles.domain.records import dataclass
from perles.engine.context import Context
from perles.engine.remote_turns import Elsewhere
from perles.engine.resources.allowance import Allowance
from perles.engine.turns import session_files
from perles.engine.turns.ending import Ending
from perles.engine.turns.unanswered_calls import Listening, Unanswered
from perles.executor.contract import Batch, Identity, Process, TurnFiles, TurnKey
from perles.store.events import journal
from perles.store.schema.agents import Agent, Turn
from perles.tasks.reports import Printed
from perles.workspace.artifacts import Collected


class Report(NamedTuple):
    """How the command of a task ended: its exit code, in words, what it printed and left."""

    exit_code: int
    words: str
    printed: Printed | None
    left: Collected | None = None


@dataclass(slots=True, eq=False)
class LiveTurn:
    """A turn whose process may live.

    `ending` says how it is to end when we end it, `verdict` why, where its agent
    is to be blamed. `pending` was read and is not in the journal yet.
    One that `is_starting` was adopted before its node has told of its process.
    `ended_unserved` says that its process ended while no engine ran.
    `silent` is for how many seconds its CLI may print nothing although it is well. One that
    `is_broken` raised what nobody expected: no more of it is read. The process of one that
    `runs_command` is its task's command: how that ends is the report. `node` is the machine on
    which it runs, None for this one; `where` is known of one that begins there. Its price
    is looked up by the names in `priced_by`: its model and its provider.
    """

    turn_id: int
    workflow_id: str
    agent_id: int
    agent: str
    role: str
    number: int
    process: Process
    parser: Parser
    policy: Callable[[], ResourcePolicy]
    offset: int = 0
    ending: Ending | None = None
    verdict: Outcome | None = None
    pending: Batch | None = None
    has_mcp: bool = True
    silent: float = 0.0
    computes: bool = False
    priced_by: Sequence[str | None] = ()
    session_id: str | None = None
    log: SessionReader | None = None
    log_due_at: float = -math.inf
    is_watched: bool = False
    is_starting: bool = False
    is_broken: bool = False
    troubled: bool = False
    written: int = -1
    heard_at: float = 0.0
    checked_at: float = -math.inf
    ended_unserved: bool = False
    runs_command: bool = False
    node: str | None = None
    where: Elsewhere | None = None
    report: Report | None = None
    unanswered: Unanswered = field(default_factory=Unanswered)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    output: Allowance = field(default_factory=Allowance.output)
    calls: Allowance = field(default_factory=Allowance.calls)

    @classmethod
    def of(
        cls,
        turn: Turn,
        agent: Agent,
        provider: Provider,
        context: Context,
        environ: Mapping[str, str] | None = None,
    ) -> "LiveTurn":
        """The turn of a row, to be read on from where its output was read to.

        Its parser is told again what it was told before: it may need to know. `environ`
        tells where its CLI keeps its sessions; without it their files are not read.
        """
        base = journal.decode(turn.session_base) if turn.session_base else {}
        before = base.get("totals")
        if before is None:
            before = journal.decode(agent.session_totals)
        parser = provider.parser(before)
        text_only = provider.prints_text_only
        made = cls._of_rows(turn, agent, parser, context, text_only=text_only)
        if not text_only and turn.stdout_offset:
            listening = Listening(parser, made.unanswered)
            made.process.replay(turn.stdout_offset, listening)
        made.has_mcp = provider.has_mcp
        made.silent, made.computes = silent_seconds(provider), computes(provider)
        made.priced_by = (model_of(provider, agent.model), provider.name)
        made.log = session_files.reader(provider, environ, base)
        return made

    @classmethod
    def broken(cls, turn: Turn, agent: Agent, context: Context) -> "LiveTurn":
        """The turn of a row that cannot be read on: to be ended, and no more."""
        made = cls._of_rows(turn, agent, TextParser(), context, text_only=True)
        made.is_broken = True
        return made

    @classmethod
    def _of_rows(
        cls,
        turn: Turn,
        agent: Agent,
        parser: Parser,
        context: Context,
        *,
        text_only: bool,
    ) -> "LiveTurn":
        files = TurnFiles.at(context.paths.found(turn.stdout_path))
        identity = None
        if turn.pid is not None and turn.start_ticks is not None and turn.boot_id is not None:
            identity = Identity(turn.pid, turn.start_ticks, turn.boot_id)
        return cls(
            turn_id=turn.id,
            workflow_id=turn.workflow_id,
            agent_id=agent.id,
            agent=agent.name,
            role=agent.role,
            number=turn.number,
            process=context.executor.process(
                TurnKey(turn.workflow_id, turn.id),
                files,
                identity,
                text_only=text_only,
                node=agent.node,
            ),
            parser=parser,
            policy=context.policy,
            offset=turn.stdout_offset,
            session_id=agent.provider_session_id,
            runs_command=bool(turn.runs_command),
            node=agent.node,
        )

    @property
    def identity(self) -> Identity | None:
        """Which process it is; None where that is not known."""
        return self.process.identity

    async def ends_within(self, seconds: float) -> bool:
        """Wait up to `seconds` for the turn to be over; whether it is."""
        try:
            async with asyncio.timeout(seconds):
                await self.done.wait()
        except TimeoutError:
            return False
        return True

    def has_grown(self) -> bool:
        """Whether there is output to read, or the file is not the one it was."""
        return self.process.size() != self.offset

    def outcome(self, code: int | None, complaint: str) -> Outcome:
        """How the turn ended, as its parser understood it."""
        return bounds.outcome(self.parser.outcome(code, complaint))

    def read(self, *, ended: bool) -> Batch:
        """What the process printed since the last time."""
        parser = Listening(self.parser, self.unanswered)
        return self.process.read(self.offset, parser, ended=ended)
