"""Who asks: a person at a shell, or a process that an agent of this very home started.

Every process of a turn carries the turn's mark in its environment, and so do those
before it: the ancestors and the leaders of their sessions are asked, too, as one may
have taken the mark off itself. Only what is in this database counts: a test that runs
Perles on a home of its own inside a task is not this home's agent there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.marks import MARKS
from perles.executor.local.identity import stat_fields
from perles.executor.local.processes import environ_of
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from pathlib import Path

    from perles.store.reads.connection import Connection

MAX_ANCESTORS: Final = 64
MAX_NESTING: Final = 32
"""Look through this many workflows that created one another."""
_PTS_MAJORS: Final = range(136, 144)


class AgentMark(NamedTuple):
    """An agent of this home: `turn` is None where only its name is known."""

    workflow_id: str
    agent: str
    turn: int | None


class Origin(NamedTuple):
    """Who asks for something: the process, its terminal where it has one, and whose it is."""

    uid: int
    pid: int
    tty: str | None
    agent: AgentMark | None
    token: str | None = None
    """The name of the access token by which somebody asks over HTTP."""

    @property
    def source(self) -> str:
        """The word in the column `commands.source`."""
        return "user" if self.agent is None else "agent"

    @property
    def label(self) -> str:
        """The agent as people read it; "" for a person."""
        return "" if self.agent is None else f"{self.agent.agent} of {self.agent.workflow_id}"

    def payload(self) -> dict[str, Any]:
        """As rows and events keep it."""
        known: dict[str, Any] = {"uid": self.uid, "pid": self.pid, "tty": self.tty}
        if self.token is not None:
            known["token"] = self.token
        if self.agent is not None:
            known |= {
                "workflow": self.agent.workflow_id,
                "agent": self.agent.agent,
                "turn": self.agent.turn,
            }
        return known


def here(path: Path) -> Origin:
    """Who this process is, by what the database at `path` knows."""
    around = _surroundings(os.getpid())
    claims = [claim for claim in (_own(), *around.claims) if claim]
    found = None
    if claims:
        with reading(path) as connection:
            if connection is not None:
                found = next(filter(None, (_known(connection, one) for one in claims)), None)
    return Origin(os.getuid(), os.getpid(), around.tty, found)


def made_by(connection: Connection, workflow_id: str, maker: str) -> bool:
    """Whether an agent of the workflow `maker` created this one, directly or through others."""
    wanted: str | None = workflow_id
    for _ in range(MAX_NESTING):
        row = connection.execute(
            "SELECT payload FROM events WHERE workflow_id = ? AND type = 'workflow.created' "
            "ORDER BY seq LIMIT 1",
            (wanted,),
        ).fetchone()
        wanted = None if row is None else (json.loads(row[0]).get("by") or {}).get("workflow")
        if wanted is None or wanted == maker:
            return wanted is not None
    return False


def _own() -> dict[str, str]:
    """The marks on this process, asked for by name: the rest need not be decoded."""
    return {name: os.environ[name] for name in MARKS if name in os.environ}


class _Surroundings(NamedTuple):
    """The controlling terminal, and the marks on this process and on its ancestors."""

    tty: str | None
    claims: tuple[dict[str, str], ...]


@lru_cache(maxsize=1)
def _surroundings(own: int) -> _Surroundings:
    """What stands around the process `own`, this one: looked at once, as parents may end."""
    tty, pids = None, {own: None}
    pid = own
    for _ in range(MAX_ANCESTORS):
        fields = stat_fields(pid) if pid > 0 else None
        if fields is None:
            break
        pids |= {pid: None, int(fields[3]): None}
        tty = tty or _terminal(int(fields[4]))
        pid = int(fields[1])
    environs = (environ_of(pid) for pid in pids if pid > 0)
    claims = (_variables(_pairs(environ)) for environ in environs)
    return _Surroundings(tty, tuple(claim for claim in claims if claim))


def _terminal(number: int) -> str | None:
    """The name of a controlling terminal by its device number; None for none."""
    if not number:
        return None
    major, minor = os.major(number), os.minor(number)
    if major in _PTS_MAJORS:
        return f"/dev/pts/{minor + 256 * (major - _PTS_MAJORS.start)}"
    return f"/dev/tty{minor}" if major == 4 else f"{major}:{minor}"


def _pairs(environ: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    for entry in environ:
        name, _, value = entry.decode(errors="replace").partition("=")
        yield name, value


def _variables(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in pairs if name in MARKS}


def _known(connection: Connection, environ: dict[str, str]) -> AgentMark | None:
    """The agent that these variables name, where the database has it."""
    workflow_id, _, turn = environ.get("PERLES_TURN", "").partition("/")
    if turn.isascii() and turn.isdigit() and len(turn) < 19:
        row = connection.execute(
            "SELECT a.name FROM turns t JOIN agents a ON a.id = t.agent_id "
            "WHERE t.id = ? AND t.workflow_id = ?",
            (int(turn), workflow_id),
        ).fetchone()
        if row is not None:
            return AgentMark(workflow_id, str(row[0]), int(turn))
    row = connection.execute(
        "SELECT workflow_id, name FROM agents WHERE workflow_id = ? AND name = ?",
        (environ.get("PERLES_WORKFLOW", ""), environ.get("PERLES_AGENT", "")),
    ).fetchone()
    return None if row is None else AgentMark(str(row[0]), str(row[1]), None)
