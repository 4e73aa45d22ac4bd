"""What a turn of Codex used: the difference of its thread's running totals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perles.agents.clis.json_lines import count, get, usage
from perles.agents.clis.session_log import SessionLog
from perles.agents.provider import AgentEvent, Kind

COUNTS: Final = ("input_tokens", "cached_input_tokens", "output_tokens")


def difference(now: Mapping[str, int], before: Mapping[str, float]) -> tuple[int, int, int]:
    """Tokens past the cache, from it, and said, since the thread's total was `before`."""
    old = {name: int(before.get(name, 0)) for name in COUNTS}
    if any(now[name] < old[name] for name in COUNTS):
        old = dict.fromkeys(COUNTS, 0)  # another thread: it began at nothing
    given, cached, out = (now[name] - old[name] for name in COUNTS)
    return max(0, given - cached), cached, out


class CodexLog(SessionLog):
    """`rollout-*.jsonl` below CODEX_HOME, with a `token_count` after each call."""

    marks = (b"token_count",)

    def _find(self, session_id: str) -> list[Path]:
        home = Path(self._environ.get("CODEX_HOME") or self.home / ".codex")
        return list(home.glob(f"sessions/*/*/*/rollout-*-{session_id}.jsonl"))

    def totals(self, line: Mapping[str, Any]) -> dict[str, float] | None:
        """The thread's running total."""
        return _totals(line)

    def taker(self, totals: Mapping[str, float]) -> "_CodexTaker":
        """Remembers the last total."""
        return _CodexTaker(totals)


class _CodexTaker:
    def __init__(self, before: Mapping[str, float]) -> None:
        self._before = before
        self._now: dict[str, int] | None = None
        self._context: dict[str, int] = {}

    def take(self, line: Mapping[str, Any]) -> None:
        found = _totals(line)
        if found is None:
            return
        self._now = {name: int(value) for name, value in found.items()}
        info = get(line, "payload", "info")
        used = count(get(info, "last_token_usage", "total_tokens"))
        window = count(get(info, "model_context_window"))
        self._context = {"context_used": used, "context_window": window}

    def event(self) -> AgentEvent | None:
        if self._now is None:
            return None
        given, cached, out = difference(self._now, self._before)
        event = usage(
            of_turn=True, tokens_in=given, tokens_cached=cached, tokens_out=out, **self._context
        )
        return AgentEvent(Kind.USAGE, "", {**event.data, "totals": self._now})


def _totals(line: Mapping[str, Any]) -> dict[str, float] | None:
    told = get(line.get("payload"), "info", "total_token_usage")
    if get(line.get("payload"), "type") != "token_count" or not isinstance(told, dict):
        return None
    return {name: count(told.get(name)) for name in COUNTS}
