"""The filter language as SQL over the table `workflows w`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from perles.domain.clock import to_text
from perles.domain.filter_language import TEXT
from perles.domain.states import PRIORITIES
from perles.store.sqlite.backend import days

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perles.domain.filter_language import Term

Condition = tuple[str, list[Any]]
_AGENT: Final = (
    "(w.provider = ? OR w.worker_provider = ? OR EXISTS (SELECT 1 FROM agents a WHERE "
    "a.workflow_id = w.id AND (a.name = ? OR a.provider = ?)))"
)
_LABEL: Final = "EXISTS (SELECT 1 FROM workflow_labels l WHERE l.workflow_id = w.id AND l.key = ?"
_AGE: Final = f"({days('?')} - {days('w.created_at')}) * 86400"
_NUMBERS: Final = {
    "cost": "w.cost_usd",
    "tokens": "w.tokens_used",
}
_OPS: Final = frozenset({">", ">=", "<", "<=", "="})


def conditions(terms: Sequence[Term]) -> Condition:
    """What has to hold for all of these, to stand behind WHERE."""
    texts, params = [], []
    for term in terms:
        text, values = _condition(term)
        texts.append(f"NOT ({text})" if term.negated else f"({text})")
        params += values
    return " AND ".join(texts) or "1 = 1", params


def asks_for_archived(terms: Sequence[Term]) -> bool:
    """Whether archived ones are asked for by name."""
    return any(term.key == "is" and "archived" in term.values for term in terms)


def _condition(term: Term) -> Condition:
    if term.key == "age":
        assert term.op in _OPS
        return f"{_AGE} {term.op} ?", [to_text(datetime.now(UTC)), term.number]
    if term.key in _NUMBERS:
        assert term.op in _OPS
        return f"{_NUMBERS[term.key]} {term.op} ?", [term.number]
    found = [_KINDS[term.key](value) for value in term.values]
    return " OR ".join(text for text, _ in found), [one for _, some in found for one in some]


def _text(value: str) -> Condition:
    where = "w.name || ' ' || w.id || ' ' || w.template_id || ' ' || w.goal"
    return f"instr(lower({where}), lower(?)) > 0", [value]


def _label(value: str) -> Condition:
    key, equals, text = value.partition("=")
    if not equals:
        return f"{_LABEL})", [key]
    return f"{_LABEL} AND instr(lower(l.value), lower(?)) > 0)", [key, text]


def _name(value: str) -> Condition:
    return "(instr(lower(w.name), lower(?)) > 0 OR lower(w.name) GLOB lower(?))", [value, value]


def _is(value: str) -> Condition:
    return ("w.waiting_for_user = 1" if value == "waiting" else "w.archived_at IS NOT NULL"), []


_KINDS: Final[dict[str, Callable[[str], Condition]]] = {
    "state": lambda value: ("w.state = ?", [value]),
    "priority": lambda value: ("w.priority = ?", [PRIORITIES.index(value)]),
    "health": lambda value: ("w.health = ?", [value]),
    "is": _is,
    "label": _label,
    "agent": lambda value: (_AGENT, [value] * 4),
    "template": lambda value: ("w.template_id = ?", [value]),
    "name": _name,
    "id": lambda value: ("instr(w.id, ?) > 0", [value]),
    TEXT: _text,
}
