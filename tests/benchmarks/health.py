"""What it costs to know who is stuck: one sweep over many, and an engine whose agents are silent."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from perles.config import Config
from perles.domain.clock import ManualClock, SystemClock, from_text, to_text
from perles.engine.commands import Commands
from perles.engine.context import Context
from perles.engine.health import HealthMonitor
from perles.engine.turns import Turns
from perles.paths import Paths
from perles.store import journal
from perles.store.database import Database, Tx
from perles.store.sql import Sql
from perles.store.writer import Writer
from sqlalchemy import text
from tests.benchmarks.bench import Bench, Row, bench, fill
from tests.benchmarks.supervising import cpu_of_silent_agents

WORKFLOWS, RUNNING = 10_000, 1_000
EVENTS = 200_000
NEWS = 2_000
SWEEPS = 30


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        query, sweep, statements = asyncio.run(_sweeps(home))
        yield Row("health: the query, 10,000 workflows, 1,000 run", query, "ms", "<= 20")
        yield Row("health: a whole sweep in the engine's loop", sweep, "ms", "<= 20")
        yield Row("health: queries a sweep", statements, "", "<= 1")
    with bench() as home:
        used = cpu_of_silent_agents(home, RUNNING // 10)
        yield Row("engine idle, 100 running and silent workflows", used, "% of a core", "<= 1")
