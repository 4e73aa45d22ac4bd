"""Providers that raise what no provider should, each at another moment of a turn."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perles.agents.builtin.provider import BuiltinProvider, TextParser
from perles.agents.provider import AgentEvent, Kind, Launch, Letter, Outcome, TurnContext
from tests.integration.cli import Home

ROOT = Path(__file__).resolve().parents[2]
PHASES = ("launch", "prompt", "parser", "feed", "outcome", "nul", "types")
"""What `raises_PHASE` raises in, or hands over."""


class Raising(BuiltinProvider):
    """Its agents print two lines and linger; one of its methods raises."""

    prints_text_only = False
    phase = ""

    def launch(self, turn: TurnContext) -> Launch:
        """A shell, in whose arguments there may be a NUL."""
        self._raise("launch")
        nul = "\0" if self.phase == "nul" else ""
        linger = "" if self.phase in ("outcome", "types") else "; exec sleep 61"
        env = dict(super().launch(turn).env)
        return Launch(argv=["/bin/sh", "-c", f"echo first; echo second{linger}{nul}"], env=env)

    def prompt(self, letters: Sequence[Letter]) -> str:
        """The builtin's."""
        self._raise("prompt")
        return super().prompt(letters)

    def parser(self, _totals: Mapping[str, float] | None = None) -> TextParser:
        """One that may raise; with `later`, only once somebody says so."""
        self._raise("parser")
        if self.phase == "later" and Path(os.environ["HOME"], "now").exists():
            raise MemoryError
        return RaisingParser(self)

    def _raise(self, phase: str) -> None:
        if phase == self.phase:
            raise ValueError(f"in {phase}: half a pair \ud800, a NUL \0")


class RaisingParser(TextParser):
    """Raises in `feed` or `outcome`, or makes events and outcomes of what is none."""

    def __init__(self, provider: Raising) -> None:
        self._provider = provider

    def feed(self, line: str) -> list[AgentEvent]:
        """The line, and what a wrong parser may make of it."""
        self._provider._raise("feed")
        if self._provider.phase != "types":
            return super().feed(line)
        wrong: list[dict[str, Any]] = [
            {"tokens_in": "many", "tokens_out": 10**30, "cost_usd": float("nan"), "totals": [1]},
            {"id": ["x"]},
            {"name": b"\xff", "deep": {1: {2: {3: object()}}}, "big": 2**70},
        ]
        kinds = (Kind.USAGE, Kind.SESSION, Kind.TOOL)
        return [AgentEvent(kind, "\ud800\0", data) for kind, data in zip(kinds, wrong, strict=True)]

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """A failure whose words cannot be encoded."""
        self._provider._raise("outcome")
        if self._provider.phase == "types":
            return Outcome(False, "crashed", "\udfff\0", "\ud800")
        return super().outcome(exit_code, stderr_tail)


def install(home: Home) -> None:
    """Make them known to every perles process of this home."""
    info = home.work / "packages" / "perles_raising-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: perles-raising\nVersion: 1\n")
    points = "".join(f"raises_{one} = {__name__}:{one}\n" for one in (*PHASES, "later"))
    (info / "entry_points.txt").write_text(f"[perles.providers]\n{points}")
    home.environ["PYTHONPATH"] = f"{info.parent}:{ROOT}"
    home.environ["HOME"] = str(home.work)


def __getattr__(name: str) -> type[Raising]:
    if name not in (*PHASES, "later"):
        raise AttributeError(name)
    return type(name, (Raising,), {"name": f"raises_{name}", "phase": name})
