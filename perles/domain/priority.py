"""Who is next in a line: the one rule for all that wait, on the engine's side and the reader's.

The order is by priority, then by age, with ageing: some minutes of waiting
outweigh one step of priority. It is a number that stands still, the rank: the time
of the request, set back by the priority. A request that comes later than that by less than
the ageing can pass once; nobody can pass for ever.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

AGEING: Final = 600.0
"""Seconds of waiting that outweigh one step of priority."""


class Waiting(NamedTuple):
    """An agent that waits for an AI call. `since` is the time of its request in seconds."""

    agent_id: int
    workflow_id: str
    priority: int
    is_coordinator: bool
    since: float

    @property
    def rank(self) -> tuple[float, bool, float, int]:
        """The smallest goes first; within a second, coordinators before workers."""
        aged = rank(int(self.since), self.priority)
        return (aged, not self.is_coordinator, self.since, self.agent_id)


def rank(since: float, priority: int) -> float:
    """The place in a line of who asked at `since`, in seconds; the smallest is next."""
    return since - priority * AGEING


def rank_sql(days: str) -> str:
    """`rank` as SQL over the column `priority` and an expression for `since` in days.

    Written as the generated column of the database has it, so that its index serves.
    """
    return f"{days} - priority * {AGEING / 60} / 1440"


def choose(waiting: Sequence[Waiting], held: Mapping[str, int], limit: int) -> list[Waiting]:
    """Those of `waiting` that get an AI call now, in order; `held` counts calls by workflow.

    By rank; but no workflow gets the last call, so that it holds them all, while
    another one waits.
    """
    holds = dict(held)
    line = sorted(waiting, key=lambda one: one.rank)
    chosen: list[Waiting] = []
    for _ in range(limit - sum(holds.values())):
        if not line:
            break
        modest = (one for one in line if holds.get(one.workflow_id, 0) + 1 < limit)
        picked = next(modest, line[0])
        line.remove(picked)
        holds[picked.workflow_id] = holds.get(picked.workflow_id, 0) + 1
        chosen.append(picked)
    return chosen
