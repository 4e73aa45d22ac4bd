"""A provider for tests: the builtin agents, counted as AI calls, whose tasks can report usage.

A line `@usage IN OUT [USD] [MODEL]` that a task prints is a usage line; `-` for USD is none.
"""

from collections.abc import Mapping
from pathlib import Path

from perles.agents.builtin.provider import BuiltinProvider, TextParser
from perles.agents.provider import AgentEvent, Kind
from tests.integration.cli import Home

ROOT = Path(__file__).resolve().parents[2]


class ScriptedProvider(BuiltinProvider):
    """Looks like an AI agent to everything that counts."""

    name = "scripted"
    is_ai_call = True
    prints_text_only = False
    capabilities = ("usage", "cost")

    def parser(self, _totals: Mapping[str, float] | None = None) -> "ScriptedParser":
        """Knows usage lines."""
        return ScriptedParser()


class ScriptedParser(TextParser):
    """Text, and usage lines."""

    def feed(self, line: str) -> list[AgentEvent]:
        """What one line means."""
        words = line.split()
        if words[:1] != ["@usage"]:
            return super().feed(line)
        usage: dict[str, object] = {"tokens_in": int(words[1]), "tokens_out": int(words[2])}
        if len(words) > 3 and words[3] != "-":
            usage["cost_usd"] = float(words[3])
        if len(words) > 4:
            usage["model"] = words[4]
        return [AgentEvent(Kind.USAGE, "", usage)]


def install(home: Home) -> None:
    """Make the provider known to every perles process of this home."""
    packages = home.work / "packages"
    info = packages / "perles_scripted-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: perles-scripted\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[perles.providers]\nscripted = {__name__}:ScriptedProvider\n"
    )
    home.environ["PYTHONPATH"] = f"{packages}:{ROOT}"
