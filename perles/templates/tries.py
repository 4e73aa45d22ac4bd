"""How long a task may take, and how often it is tried: timeout and retries, in words or in full."""

from collections.abc import Mapping
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.execution import MAX_DELAY, Retry

MAX_RETRIES: Final = 100
MAX_GRACE: Final = 3600.0
MAX_BACKOFF: Final = 100
_TIMEOUT: Final = ("run", "grace")
_RETRIES: Final = ("max", "delay", "backoff", "on")


def seconds(entries: Mapping[str, Node]) -> float | None:
    """How long an attempt may take; None without a limit. Raises `UsageError`."""
    node = entries.get("timeout")
    if node is None:
        return None
    if not isinstance(node.value, dict):
        return _positive(node)
    parts = node.mapping(_TIMEOUT)
    if not parts:
        raise node.error("is empty; give run, grace or both")
    return _positive(parts["run"]) if "run" in parts else None


def grace(entries: Mapping[str, Node]) -> float | None:
    """The seconds between TERM and KILL, None for the usual ones. Raises `UsageError`."""
    node = entries.get("timeout")
    if node is None or not isinstance(node.value, dict) or "grace" not in node.value:
        return None
    found = node.value["grace"]
    if "run" not in entries:
        raise found.error("is for commands; an agent has the grace period of its workflow")
    if found.duration() > MAX_GRACE:
        raise found.error("is over 1h")
    return found.duration()


def most(entries: Mapping[str, Node]) -> int:
    """How often a failed attempt is followed by another one. Raises `UsageError`."""
    node = entries.get("retries")
    if node is None:
        return 0
    if not isinstance(node.value, dict):
        return node.integer(0, MAX_RETRIES)
    parts = node.mapping(_RETRIES)
    if "max" not in parts:
        raise node.error("max is missing; say how often it is tried again")
    return parts["max"].integer(0, MAX_RETRIES)


def retry(entries: Mapping[str, Node]) -> Retry:
    """When a failed attempt is followed by another one. Raises `UsageError`."""
    node = entries.get("retries")
    if node is None or not isinstance(node.value, dict):
        return Retry()
    parts = node.mapping(_RETRIES)
    delay = parts["delay"].duration() if "delay" in parts else 0.0
    if delay > MAX_DELAY:
        raise parts["delay"].error("is over 1 day")
    return Retry(
        delay=delay,
        backoff=_backoff(parts["backoff"]) if "backoff" in parts else 1.0,
        on=_codes(parts["on"], entries) if "on" in parts else (),
    )


def _backoff(node: Node) -> float:
    factor = float(node.amount())
    if not 1 <= factor <= MAX_BACKOFF:
        raise node.error(f"must be 1 to {MAX_BACKOFF}: by how much each delay is longer")
    return factor


def _codes(node: Node, entries: Mapping[str, Node]) -> tuple[int, ...]:
    if "run" not in entries:
        raise node.error("is for commands; an agent has no exit code")
    items = node.items()
    if not items:
        raise node.error("is empty; name exit codes, or leave it out")
    return tuple(item.integer(1, 255) for item in items)


def _positive(node: Node) -> float:
    found = node.duration()
    if found <= 0:
        raise node.error("must be above 0")
    return found
