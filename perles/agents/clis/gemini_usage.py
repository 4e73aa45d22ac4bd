"""What a turn of Gemini CLI used so far: the messages that it added to its chat."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perles.agents.clis.json_lines import count, get, text, usage
from perles.agents.clis.session_log import SessionLog
from perles.agents.provider import AgentEvent

MAX_MESSAGES: Final = 10_000
ID_IN_NAME: Final = 8
"""Characters of a session's id that stand in its file's name."""


class GeminiLog(SessionLog):
    """`chats/session-*.jsonl` of each project, with `tokens` at each message."""

    marks = (b'"tokens"',)

    def _find(self, session_id: str) -> list[Path]:
        home = Path(self._environ.get("GEMINI_CLI_HOME") or self.home)
        name = f"session-*-{session_id[:ID_IN_NAME]}.jsonl"
        return list(home.glob(f".gemini/tmp/*/chats/{name}"))

    def taker(self, _totals: Mapping[str, float]) -> "_GeminiTaker":
        """Counts each message once: it is written again when its tools have answered."""
        return _GeminiTaker()


class _GeminiTaker:
    def __init__(self) -> None:
        self._messages: dict[str, tuple[int, int, int]] = {}
        self._context = 0

    def take(self, line: Mapping[str, Any]) -> None:
        told, name = line.get("tokens"), text(line.get("id"), 200)
        if not isinstance(told, dict) or not name:
            return
        if name in self._messages or len(self._messages) < MAX_MESSAGES:
            cached = count(get(told, "cached"))
            out = count(get(told, "output")) + count(get(told, "thoughts"))
            given = max(0, count(get(told, "input")) - cached)
            self._messages[name] = (given, cached, out)
            self._context = count(get(told, "total"))

    def event(self) -> AgentEvent | None:
        if not self._messages:
            return None
        given, cached, out = (sum(values) for values in zip(*self._messages.values(), strict=True))
        return usage(
            of_turn=True,
            tokens_in=given,
            tokens_cached=cached,
            tokens_out=out,
            context_used=self._context,
        )
