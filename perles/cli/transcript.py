"""What an agent did, for people: text, tool calls in short, results, errors, usage."""

import json
from collections.abc import Iterator
from typing import Any, Final

from perles.agents.provider import AgentEvent, Kind
from perles.domain.text import clean, cut

MAX_ARGUMENTS: Final = 100
"""Columns of a tool call's arguments that are shown."""
MAX_RESULT: Final = 160


def lines_of(event: AgentEvent) -> Iterator[str]:
    """The lines that show one event; none for what a person need not see."""
    if event.kind is Kind.TOOL:
        yield _tool(event)
    elif event.kind is Kind.USAGE:
        yield f"  · {_usage(event.data)}"
    elif event.kind is Kind.ERROR:
        kind = event.data.get("error_class")
        yield clean(f"✗ {f'{kind}: ' if kind else ''}{event.text}")
    elif event.kind is not Kind.SESSION:
        yield from clean(event.text, lines=True).split("\n")


def _tool(event: AgentEvent) -> str:
    name = str(event.data.get("name") or "tool")
    told = event.data.get("told")
    if event.data.get("done"):
        return cut(clean(f"  ↳ {told or event.text}"), MAX_RESULT)
    shown = told or _arguments(event.data.get("input")) or event.text.removeprefix(name)
    return cut(clean(f"⚙ {name} {shown}"), MAX_ARGUMENTS).rstrip()


def _arguments(given: Any) -> str:
    if not given:
        return ""
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _usage(data: Any) -> str:
    names = (("tokens_in", "in"), ("tokens_out", "out"), ("tokens_cached", "cached"))
    parts = [f"{data[key]} {word}" for key, word in names if data.get(key)]
    if data.get("context_used"):
        window = data.get("context_window")
        parts.append(f"context {data['context_used']}" + (f" of {window}" if window else ""))
    if data.get("cost_usd"):
        parts.append(f"{data['cost_usd']:.4f} USD")
    return "tokens " + ", ".join(parts) if parts else "no usage"
