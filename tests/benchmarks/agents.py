"""Agents: how fast their lines are read, and what a turn costs beside the agent's own time."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from perles.agents.clis.claude import ClaudeParser
from perles.agents.clis.codex import CodexParser
from perles.agents.clis.gemini import GeminiParser
from perles.agents.clis.opencode import OpencodeParser
from perles.agents.provider import Parser
from perles.store.sqlite.driver import dbapi
from tests.benchmarks.bench import Bench, Row, bench

RECORDED = Path(__file__).parents[1] / "fixtures" / "agents"
PARSERS: dict[str, Callable[[], Parser]] = {
    "claude": ClaudeParser,
    "codex": CodexParser,
    "gemini": GeminiParser,
    "opencode": OpencodeParser,
}
LINES = 50_000
TURNS = 20
CLI = "#!/bin/sh\ndate +%s.%N >> began\ncat > /dev/null\necho fine\ndate +%s.%N >> ended\n"


def rows() -> Iterator[Row]:
    """The measurements."""
    for name in PARSERS:
        yield Row(f"parsing lines of {name}", _lines_per_second(name), "lines/s", ">= 50000")
    with bench() as home:
        before, after = _overhead(home)
    yield Row("a turn: message queued to CLI begun, p50", before, "ms", "<= 50")
    yield Row("a turn: CLI ended to outcome committed, p50", after, "ms", "<= 50")


def _lines_per_second(name: str) -> float:
    recorded = (RECORDED / f"{name}.jsonl").read_text().splitlines()
    lines = (recorded * (LINES // len(recorded) + 1))[:LINES]
    best = 0.0
    for _ in range(3):
        parser = PARSERS[name]()
        began = time.perf_counter()
        for line in lines:
            parser.feed(line)
        best = max(best, LINES / (time.perf_counter() - began))
    return best


def _overhead(home: Bench) -> tuple[float, float]:
    """Milliseconds of ours before and after an agent's process, the middle ones of many turns."""
    program = home.root / "mycli"
    program.write_text(CLI)
    program.chmod(0o700)
    mycli = {"type": "command", "argv": [str(program)]}
    config = home.root / "agents.yaml"
    config.write_text(json.dumps({"orchestration": {"providers": {"mycli": mycli}}}))
    tasks = [
        {"key": f"t{n}", "prompt": "Hm?", "worker": "mycli", "after": [f"t{n - 1}"] if n else []}
        for n in range(TURNS)
    ]
    file = home.root / "turns.yaml"
    file.write_text(json.dumps({"name": "turns", "workers": 1, "tasks": tasks}))
    home.run("--config", str(config), "run", str(file))
    with closing(dbapi.connect(home.root / "perles.db")) as connection, connection:
        query = (
            "SELECT m.created_at, t.ended_at FROM turns t JOIN agents a ON a.id = t.agent_id "
            "JOIN messages m ON m.turn_id = t.id WHERE a.role = 'worker' ORDER BY t.id"
        )
        found = [tuple(map(_seconds, row)) for row in connection.execute(query)]
    began = [float(line) for line in (home.root / "began").read_text().split()]
    ended = [float(line) for line in (home.root / "ended").read_text().split()]
    before = [at - queued for at, (queued, _) in zip(began, found, strict=True)]
    after = [done - at for at, (_, done) in zip(ended, found, strict=True)]
    return 1000 * statistics.median(before), 1000 * statistics.median(after)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
