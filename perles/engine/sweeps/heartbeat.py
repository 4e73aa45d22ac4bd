"""The engine's own row: who it is, since when, and that it lives."""

import os

from perles.domain.clock import Clock, offset
from perles.engine.sweeps.clock_watch import catch_up
from perles.executor.local.identity import boot_id, identify
from perles.store.events import journal
from perles.store.schema.engine import Engine
from perles.store.transaction import Tx
from perles.version import __version__


def started(tx: Tx, clock: Clock) -> None:
    """An engine starts: it is the one of this database from now on."""
    identity, shows = identify(os.getpid()), offset(clock)
    before = tx.get(Engine, 1)
    if before is not None:
        catch_up(tx, before.clock_offset if before.boot_id == boot_id() else None, shows)
    values = {
        "pid": os.getpid(),
        "start_ticks": None if identity is None else identity.start_ticks,
        "host": os.uname().nodename,
        "boot_id": boot_id(),
        "version": __version__,
        "started_at": tx.now,
        "heartbeat_at": tx.now,
        "ended_at": None,
        "clock_offset": shows,
    }
    if before is None:
        tx.insert(Engine, id=1, **values)
    else:
        tx.update(Engine, 1, **values)
    journal.append(tx, "engine.started", {"pid": os.getpid(), "version": __version__})


def beat(tx: Tx, clock: Clock) -> None:
    """It lives."""
    tx.update(Engine, 1, heartbeat_at=tx.now, clock_offset=offset(clock))


def stopped(tx: Tx) -> None:
    """It ends."""
    tx.update(Engine, 1, ended_at=tx.now)
    journal.append(tx, "engine.stopped", {"pid": os.getpid()})
