"""Which process holds which port of the range."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import psutil

from perles.doctor.finding import NOTE, OK, PROBLEM, Finding, named
from perles.doctor.machine.surroundings import Surroundings
from perles.keeper.whereabouts import keeper_of
from perles.store.place import engine_lock

_OURS: Final = ("127.0.0.1", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound
"""Addresses that keep the engine from the port on loopback."""


class Holder(NamedTuple):
    """A process that listens; without pid it is another user's."""

    pid: int | None
    name: str


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """Ports of strangers, and how many are left for workflows."""
    policy = surroundings.config.resource_policy
    ports = range(policy.port_range_start, policy.port_range_end + 1)
    lock = engine_lock(surroundings.paths.database_path())
    engine = lock.holder() if lock.is_held() else None
    try:
        found = listening()
    except psutil.Error as error:
        yield Finding("ports", NOTE, f"cannot see who listens: {error}")
        return
    yield judge(ports, found, engine, keeper_of(surroundings.paths.root))


def judge(
    ports: range, found: Mapping[int, Holder], engine: int | None, keeper: int | None = None
) -> Finding:
    """What it means that these listen. Each workflow that runs needs a port."""
    own = {pid for pid in (engine, keeper) if pid is not None}
    strangers = [port for port in ports if port in found and found[port].pid not in own]
    ours = [port for port in ports if port in found and found[port].pid in own]
    free = len(ports) - len(strangers) - len(ours)
    text = f"{ports[0]}-{ports[-1]}: {free} free, {len(ours)} served by the engine"
    if not strangers:
        return Finding("ports", OK, text)
    who = [f"{port} by {found[port].name} (pid {found[port].pid or '?'})" for port in strangers]
    text += f", {len(strangers)} held by others: {named(who, 8)}"
    advice = "end them, or set resource_policy.port_range_start and port_range_end elsewhere"
    return Finding("ports", NOTE if free or ours else PROBLEM, text, advice)


def listening() -> dict[int, Holder]:
    """Every port that somebody listens on where the engine would, with its process."""
    found = {}
    for one in psutil.net_connections(kind="tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.ip in _OURS:
            found[one.laddr.port] = Holder(one.pid, _name(one.pid))
    return found


def _name(pid: int | None) -> str:
    if pid is None:
        return "another user's process"
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return "?"  # it ended meanwhile
