"""The façade's reads, for commands that must start at once.

`ControlPlane` has all of them too. Nothing heavy is imported here: no SQLAlchemy, no Typer, no
asyncio, nothing of the engine. What a read needs is imported by that read alone, so that
`perles list` pays for the list only. This is the one module by which a start-up path reaches
the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from perles.config.home import Paths
    from perles.domain.errors import DatabaseError
    from perles.store.events.bus import CrossWorkflowEventBus
    from perles.store.reads.registry import Registry
    from perles.store.reads.turns import TurnOutput as TurnOutput


Json = dict[str, Any]
MAX_HISTORY_HOURS: Final = 24 * 366
"""How far back the use of limits is shown."""


class EventPage(NamedTuple):
    """Events in order; `last` is the seq of the newest event when they were read."""

    events: list[Json]
    last: int
    workflow_id: str | None


class Reads:
    """Reads of one home folder. Each waits for no engine and changes nothing.

    All raise `DatabaseError` for a database that this code cannot read; one that does not
    exist yet is empty. A `ref` is an id, a unique prefix of one, or a unique name: what it is
    given to raises `NotFoundError`, `AmbiguousIdError`.
    """

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    @property
    def registry(self) -> Registry:
        """The reads of workflow instances."""
        from perles.store.reads.registry import Registry

        return Registry(self.paths.database_path())

    @property
    def events(self) -> CrossWorkflowEventBus:
        """The events of all workflows."""
        from perles.store.events.bus import CrossWorkflowEventBus

        return CrossWorkflowEventBus(self.paths.database_path())

    def get(self, ref: str) -> Json:
        """One workflow, as `show --json` has it."""
        return self.registry.get(ref)

    def state_of(self, workflow_id: str) -> str:
        """The state of a workflow, by its id."""
        return self.registry.state_of(workflow_id)

    def agents(self, ref: str | None = None) -> list[Json]:
        """The agents of one workflow, or of all that run or are paused: `agents --json`."""
        from perles.store.reads.agents import list_agents
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve

        with reading(self.paths.database_path()) as connection:
            workflow_id = None if ref is None else resolve(connection, ref)
            return list_agents(connection, workflow_id)

    def summary(self, ref: str) -> Json:
        """What a workflow came to, facts first, then its agents' words: `show --summary --json`."""
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve
        from perles.workflows.summaries import whole_summary

        with reading(self.paths.database_path()) as connection:
            return whole_summary(connection, resolve(connection, ref))

    def sessions(self, limit: int) -> list[Json]:
        """The newest workflows with a session folder: `sessions list --json`."""
        from perles.store.reads import run_record
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return run_record.sessions(connection, limit)

    def questions(self, ref: str | None = None, *, everything: bool = False) -> list[Json]:
        """Questions of agents that wait for a person: `questions --json`.

        Of one workflow or of all; `everything` adds answered and closed ones.
        """
        from perles.store.reads import questions
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve

        with reading(self.paths.database_path()) as connection:
            workflow_id = None if ref is None else resolve(connection, ref)
            return questions.questions(connection, workflow_id, everything=everything)

    def channels(self, ref: str) -> list[Json]:
        """The channels of a workflow, with how much of each the person has not read."""
        from perles.store.reads import fabric
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve

        with reading(self.paths.database_path()) as connection:
            workflow_id = resolve(connection, ref)
            assert connection is not None
            return fabric.channels(connection, workflow_id)

    def posts(
        self,
        ref: str,
        *,
        channel: str | None = None,
        thread: int | None = None,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Json]:
        """The newest posts of a workflow, of a channel or of a thread, in order: `posts --json`.

        Those between the ids `after` and `before`. Raises `NotFoundError` for no such channel
        or post.
        """
        from perles.store.reads import fabric
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve

        with reading(self.paths.database_path()) as connection:
            workflow_id = resolve(connection, ref)
            assert connection is not None
            wanted = fabric.Wanted(channel, thread, after, before, limit)
            return fabric.shown(connection, workflow_id, wanted)

    def resources(self) -> list[Json]:
        """Every limit with what is used, who waits and who holds it: `resources --json`."""
        from perles.store.reads import resources
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return resources.resources(connection)

    def nodes(self) -> Sequence[Json]:
        """All nodes that have ever joined, by name, gone ones last: `nodes --json`."""
        from perles.store.reads import nodes
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return nodes.nodes(connection)

    def cluster(self) -> tuple[Sequence[Json], Json | None, bool]:
        """The nodes, how the engine stands with its cluster, and whether an engine runs."""
        from perles.store.place import engine_lock
        from perles.store.reads import nodes
        from perles.store.reads.connection import reading

        path = self.paths.database_path()
        with reading(path) as connection:
            return (
                nodes.nodes(connection),
                nodes.cluster(connection),
                engine_lock(path, connection).is_held(),
            )

    def resource_history(self, since: datetime, now: datetime) -> list[Json]:
        """Peak and average of leases by hour and resource, the oldest hour first."""
        from perles.store.reads import resources
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return resources.history(connection, since, now)

    def read_events(
        self,
        ref: str | None = None,
        *,
        types: Sequence[str] = (),
        since: int = 0,
        before: int | None = None,
        agent: str | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> EventPage:
        """The events there are after seq `since`; `newest` takes the last `limit` of them.

        Those before seq `before`, and of one `agent`, where these are given. `types` are globs.
        `subscribe` yields the ones that are still to come.
        """
        from perles.store.events.reads import EventFilter, last_seq, read_events
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve

        with reading(self.paths.database_path()) as connection:
            id = None if ref is None else resolve(connection, ref)
            last = last_seq(connection)  # before the events: what comes between is read below
            wanted = EventFilter(types=types, workflows=() if id is None else (id,))
            found = read_events(
                connection,
                since=since,
                wanted=wanted,
                before=before,
                agent=agent,
                limit=limit,
                newest=newest,
            )
        return EventPage(found, last, id)

    def seq_before(self, moment: str) -> int:
        """The seq of the last event before a time as the database writes it; 0 for none."""
        from perles.store.events.reads import seq_before
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return seq_before(connection, moment)

    def workflow_words(self, start: str, states: Sequence[str]) -> list[tuple[str, str]]:
        """Ids and names of workflows that begin so, each with a note, for a shell to complete."""
        from perles.store.reads.completion import workflows
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return workflows(connection, start, states)

    def words(self, kind: str, start: str, workflow: str = "") -> list[tuple[str, str]]:
        """Labels, agents, channels, tasks or branches that begin so, each with a note.

        Those of a workflow, where there is one that `workflow` names.
        """
        from perles.store.reads.completion import words
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return words(connection, kind, start, workflow)

    def last_seq(self) -> int:
        """The seq of the newest event; 0 where there is none."""
        from perles.store.events.reads import last_seq
        from perles.store.reads.connection import reading

        with reading(self.paths.database_path()) as connection:
            return last_seq(connection)

    def logs(
        self, ref: str, *, agent: str | None = None, turn: int | None = None
    ) -> Sequence[TurnOutput]:
        """The turns of a workflow in the order of their start, each with its output files.

        Raises `NotFoundError` also for an agent, or a turn of it, that is not there.
        """
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve
        from perles.store.reads.turns import turns_of

        with reading(self.paths.database_path()) as connection:
            return turns_of(connection, resolve(connection, ref), agent=agent, number=turn)

    def machine_of_outputs(self) -> str | None:
        """On which machine the output files of turns lie, where that may be another one."""
        from perles.store.reads.connection import reading
        from perles.store.reads.turns import machine_of_outputs

        with reading(self.paths.database_path()) as connection:
            return machine_of_outputs(connection)

    def variables_of(self, workflow_id: str) -> dict[str, dict[str, str]]:
        """The variables of each of a workflow's tasks, by its key; those of secrets are `***`."""
        from perles.store.reads.connection import reading
        from perles.store.reads.workflow import variables_of

        with reading(self.paths.database_path()) as connection:
            return {} if connection is None else variables_of(connection, workflow_id)

    def secrets_of(self, workflow_id: str) -> set[str]:
        """The texts that are masked where output of a workflow is shown."""
        from perles.store.reads.connection import reading
        from perles.store.reads.turns import secrets_of

        with reading(self.paths.database_path()) as connection:
            return secrets_of(connection, workflow_id)

    def database_error(self, error: BaseException) -> DatabaseError:
        """What the database's driver raised, as an error that tells a person what to do."""
        from perles.store.sqlite.errors import database_error

        return database_error(self.paths.database_path(), error)
