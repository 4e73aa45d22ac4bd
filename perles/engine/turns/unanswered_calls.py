"""Calls of our tools that no engine answered, as the agent's own output tells them.

A CLI goes on after a call that failed, so a turn may end with work undone, or done and not
reported, for want of an engine alone. That is no failure of the agent: its report is taken
from its output, and any other turn is asked for again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from perles.agents.clis.errors import classify
from perles.agents.clis.json_lines import REPORT
from perles.agents.provider import AgentEvent, Kind, Outcome, Parser
from perles.domain.errors import ToolError
from perles.domain.patterns import lazy_pattern
from perles.mcp.tools.by_role import TOOLS_BY_ROLE

_OURS: Final = frozenset(name for tools in TOOLS_BY_ROLE.values() for name in tools)
UNSERVED: Final = Outcome(False, "lost", "no engine of Perles answered its calls")
_WORDS: Final = lazy_pattern(
    r"connection closed|not connected|connection (?:lost|error)|request timed out|-3200[01]\b"
    r"|unable to connect|transport|session (?:expired|terminated)|no such mcp|tool call error",
    re.IGNORECASE,
)
"""What CLIs say of an MCP server that they do not reach, beside what they say of any network."""


class Unanswered:
    """Listens to the tool calls of one turn. `report` is the last that nobody answered."""

    def __init__(self) -> None:
        self.report: Mapping[str, Any] | None = None
        self.calls = 0
        """Calls that failed for want of an engine since the last one that was answered."""

    def heard(self, events: Iterable[AgentEvent]) -> None:
        """What the agent did, in order."""
        for event in events:
            if event.kind is Kind.TOOL and (name := str(event.data.get("name"))) in _OURS:
                self._call(event, is_report=name == REPORT)

    def _call(self, event: AgentEvent, *, is_report: bool) -> None:
        if not event.data.get("done"):
            self.report = event.data.get("report") if is_report else self.report
        elif event.data.get("failed") and _tells_of_no_engine(event.text):
            self.calls += 1
        else:
            self.calls = 0
            self.report = None if is_report else self.report


class Listening:
    """A parser with somebody who listens to what it makes of the lines."""

    def __init__(self, parser: Parser, unanswered: Unanswered) -> None:
        self._parser, self._unanswered = parser, unanswered

    def feed(self, line: str) -> list[AgentEvent]:
        """The events of one line."""
        events = self._parser.feed(line)
        self._unanswered.heard(events)
        return events

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """How the turn ended."""
        return self._parser.outcome(exit_code, stderr_tail)


def checked(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of a report, where our server would have taken them."""
    try:
        TOOLS_BY_ROLE["worker"][REPORT].check(dict(report))
    except ToolError:
        return None
    return dict(report)


def _tells_of_no_engine(words: str) -> bool:
    return classify(words) == "offline" or _WORDS.search(words) is not None
