"""What a turn of Claude Code used: message by message while it works, settled by its result.

Newer versions print cost and tokens as a running total of the session, also over
`--resume`; older ones those of the process. A result that tells its own part is
taken at its word; else the part is the difference to the session's last total
where that fits the tokens of the turn, and all of it where it does not.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perles.agents.clis.claude_prices import price_of, weighed
from perles.agents.clis.json_lines import cost, count, get, text, usage
from perles.agents.clis.session_log import SessionLog
from perles.agents.provider import AgentEvent, Kind
from perles.domain.records import dataclass

MAX_MESSAGES: Final = 10_000
"""Messages of one turn that are told apart; what comes after them counts at the result."""
MAX_MODELS: Final = 20
_RATE: Final = "rate:"
"""What the names of learned prices begin with in a session's totals."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens by kind: past the cache, said, read from the cache, written to it."""

    given: int = 0
    out: int = 0
    cached: int = 0
    written: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.given + other.given,
            self.out + other.out,
            self.cached + other.cached,
            self.written + other.written,
        )

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            self.given - other.given,
            self.out - other.out,
            self.cached - other.cached,
            self.written - other.written,
        )

    def most(self, other: "Counts") -> "Counts":
        """The larger of each."""
        return Counts(
            max(self.given, other.given),
            max(self.out, other.out),
            max(self.cached, other.cached),
            max(self.written, other.written),
        )

    @property
    def all(self) -> int:
        """All tokens."""
        return self.given + self.out + self.cached + self.written

    @property
    def weight(self) -> float:
        """As tokens of input, by what they cost."""
        return weighed(given=self.given, out=self.out, cached=self.cached, written=self.written)


NOTHING: Final = Counts()


def of_message(used: Any) -> Counts:
    """The `usage` of a message, or of a result."""
    if not isinstance(used, dict):
        return NOTHING
    return Counts(
        count(used.get("input_tokens")),
        count(used.get("output_tokens")),
        count(used.get("cache_read_input_tokens")),
        count(used.get("cache_creation_input_tokens")),
    )


def _of_model(used: Any) -> Counts:
    if not isinstance(used, dict):
        return NOTHING
    return Counts(
        count(used.get("inputTokens")),
        count(used.get("outputTokens")),
        count(used.get("cacheReadInputTokens")),
        count(used.get("cacheCreationInputTokens")),
    )


def _all(models: Mapping[str, Any]) -> Counts:
    return sum((_of_model(used) for used in models.values()), NOTHING)


def session_totals(line: Mapping[str, Any], cost_key: str) -> dict[str, float]:
    """The running total of a line that tells one: money, tokens, and the price of each model."""
    models = _models(line.get("modelUsage"))
    found: dict[str, float] = {"cost_usd": cost(line.get(cost_key)), "tokens": _all(models).all}
    for name, used in list(models.items())[:MAX_MODELS]:
        weight, spent = _of_model(used).weight, cost(get(used, "costUSD"))
        if weight and spent:
            found[_RATE + name] = spent / weight
    return found


def _models(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class Meter:
    """Adds up what messages used, each once, however often its line comes."""

    def __init__(
        self, totals: Mapping[str, float] | None = None, *, has_prices: bool = True
    ) -> None:
        self._has_prices = has_prices
        before = {name: cost(value) for name, value in (totals or {}).items()}
        self._last = Counts(given=int(before.get("tokens", 0)))
        self._last_cost = before.get("cost_usd", 0.0)
        self._prices = {
            name.removeprefix(_RATE): value
            for name, value in before.items()
            if name.startswith(_RATE)
        }
        self._messages: dict[str, tuple[str, Counts]] = {}
        # Sums, kept up to date: to add up all messages at each one would take ever longer.
        self._heard = NOTHING
        self._by_list = 0.0
        self._results = NOTHING
        self._paid = 0.0

    def heard(self, message: Any) -> AgentEvent | None:
        """What the turn used so far, when a message tells more than was known."""
        counts = of_message(get(message, "usage"))
        name = text(get(message, "id"), 200) or f"nameless {len(self._messages)}"
        model, before = self._messages.get(name, (text(get(message, "model"), 200), NOTHING))
        most = before.most(counts)
        if most == before or (before == NOTHING and len(self._messages) >= MAX_MESSAGES):
            return None
        self._messages[name] = (model, most)
        more = most - before
        self._heard += more
        if self._has_prices:
            self._by_list += (price_of(model, self._prices) or 0.0) * more.weight
        return self._so_far()

    def _so_far(self) -> AgentEvent:
        all_of_it = self._heard
        return usage(
            of_turn=True,
            tokens_in=all_of_it.given + all_of_it.written,
            tokens_out=all_of_it.out,
            tokens_cached=all_of_it.cached,
            cost_usd=self._by_list,
        )

    def settled(self, line: Mapping[str, Any], **context: int) -> AgentEvent | None:
        """What the turn used in all, by its result."""
        told = of_message(line.get("usage"))
        own, spent = self._own(line, told)
        # The models name what agents inside the agent used, too; the usage does not.
        self._results += own if own.all >= told.all else told
        self._paid += spent
        used = self._results if self._results.all else self._heard
        if not used.all and not self._paid:
            return None
        event = usage(
            of_turn=True,
            settled=True,
            tokens_in=used.given + used.written,
            tokens_out=used.out,
            tokens_cached=used.cached,
            cost_usd=self._paid or self._by_list,
            list_usd=self._listed(line),
            **context,
        )
        totals = session_totals(line, "total_cost_usd")
        self._last, self._last_cost = Counts(given=int(totals["tokens"])), totals["cost_usd"]
        return AgentEvent(Kind.USAGE, "", {**event.data, "totals": totals})

    def _own(self, line: Mapping[str, Any], told: Counts) -> tuple[Counts, float]:
        """The part of a result that is its own: tokens as far as they are told, and money."""
        since = _models(line.get("model_usage_since_last_result"))
        if since:
            return _all(since), sum(cost(get(used, "costUSD")) for used in since.values())
        now, spent = _all(_models(line.get("modelUsage"))), cost(line.get("total_cost_usd"))
        if not self._goes_on(now, spent, told):
            return now, spent
        return NOTHING, spent - self._last_cost

    def _goes_on(self, now: Counts, spent: float, told: Counts) -> bool:
        """Whether a total goes on from the session's last one."""
        if not self._last_cost or spent < self._last_cost or now.all < self._last.all:
            return False
        own = max(told.all, self._heard.all)
        if not now.all or not own:
            return True
        return abs(now.all - self._last.all - own) <= abs(now.all - own)

    def _listed(self, line: Mapping[str, Any]) -> float:
        """What it would cost by the list, to look whether what is told can be right; else 0."""
        models = _models(line.get("model_usage_since_last_result"))
        if models:
            prices = {name: price_of(name, {}) for name in models}
            if None in prices.values():
                return 0.0
            return sum((prices[n] or 0.0) * _of_model(used).weight for n, used in models.items())
        names = {model for model, _ in self._messages.values()} - {"<synthetic>"}
        price = price_of(names.pop(), {}) if len(names) == 1 else None
        return 0.0 if price is None else price * self._results.weight


class ClaudeLog(SessionLog):
    """`projects/*/SESSION.jsonl`, with the usage of each message when it is whole.

    What is printed has a message's usage from its beginning: most of its output is missing.
    """

    marks = (b'"type":"assistant"', b'"type":"cost-state"')

    def _find(self, session_id: str) -> list[Path]:
        home = Path(self._environ.get("CLAUDE_CONFIG_DIR") or self.home / ".claude")
        return list(home.glob(f"projects/*/{session_id}.jsonl"))

    def totals(self, line: Mapping[str, Any]) -> dict[str, float] | None:
        """The session's running total: newer versions write it when a process ends."""
        if line.get("type") != "cost-state":
            return None
        return session_totals(line, "totalCostUSD")

    def taker(self, totals: Mapping[str, float]) -> "_ClaudeTaker":
        """Adds up messages."""
        return _ClaudeTaker(totals)


class _ClaudeTaker:
    def __init__(self, totals: Mapping[str, float]) -> None:
        self._meter = Meter(totals)
        self._told: AgentEvent | None = None

    def take(self, line: Mapping[str, Any]) -> None:
        if line.get("type") == "assistant":
            self._told = self._meter.heard(line.get("message")) or self._told

    def event(self) -> AgentEvent | None:
        return self._told
