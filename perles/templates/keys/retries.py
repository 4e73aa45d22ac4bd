"""How long a task may take, and how often it is tried: timeout and retries, in words or in full."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.execution import MAX_DELAY, Retry
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import DURATION, TEXT, either, items, parts, whole

MAX_RETRIES: Final = 100
MAX_GRACE: Final = 3600.0
MAX_BACKOFF: Final = 100
_TIMEOUT: Final = ("run", "grace")
_RETRIES: Final = ("max", "delay", "backoff", "on")


def seconds(entries: Entries) -> float | None:
    """How long an attempt may take; None without a limit. Raises `UsageError`."""
    node = entries.get("timeout")
    if node is None:
        return None
    if not isinstance(node.value, dict):
        return node.positive_duration()
    given = node.mapping(_TIMEOUT)
    if not given:
        raise node.error("is empty; give run, grace or both")
    return given["run"].positive_duration() if "run" in given else None


def grace(entries: Entries) -> float | None:
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


def most(entries: Entries) -> int:
    """How often a failed attempt is followed by another one. Raises `UsageError`."""
    node = entries.get("retries")
    if node is None:
        return 0
    if not isinstance(node.value, dict):
        return node.integer(0, MAX_RETRIES)
    given = node.mapping(_RETRIES)
    if "max" not in given:
        raise node.error("max is missing; give the number of retries")
    return given["max"].integer(0, MAX_RETRIES)


def retry(entries: Entries) -> Retry:
    """When a failed attempt is followed by another one. Raises `UsageError`."""
    node = entries.get("retries")
    if node is None or not isinstance(node.value, dict):
        return Retry()
    given = node.mapping(_RETRIES)
    delay = given["delay"].duration() if "delay" in given else 0.0
    if delay > MAX_DELAY:
        raise given["delay"].error("is over 1 day")
    return Retry(
        delay=delay,
        backoff=_backoff(given["backoff"]) if "backoff" in given else 1.0,
        on=_codes(given["on"], entries) if "on" in given else (),
    )


def _backoff(node: Node) -> float:
    factor = float(node.amount())
    if not 1 <= factor <= MAX_BACKOFF:
        raise node.error(f"must be 1 to {MAX_BACKOFF}: the factor by which each delay grows")
    return factor


def _codes(node: Node, entries: Entries) -> tuple[int, ...]:
    if "run" not in entries:
        raise node.error("is for commands; an agent has no exit code")
    items = node.items()
    if not items:
        raise node.error("is empty; name exit codes, or leave it out")
    return tuple(item.integer(1, 255) for item in items)


def _task(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"timeout": seconds(entries), "retries": most(entries)}


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"retry": retry(entries), "grace": grace(entries)}


_MAX: Final = whole(0, MAX_RETRIES)
_RETRIES_SHAPE: Final = parts(
    {"max": _MAX, "delay": DURATION, "backoff": TEXT, "on": items(whole(1, 255), 1)}, ("max",)
)
FAMILY: Final = Family(
    name="tries",
    title="Timeouts and retries",
    task=_task,
    execution=_execution,
    keys=(
        Key(
            name="timeout",
            at=TASKS,
            schema=either(DURATION, parts({"run": DURATION, "grace": DURATION})),
            doc="The time limit of an attempt. As a mapping: `run` is the limit, `grace` the "
            "time between TERM and KILL.",
            example="- {key: unit, run: pytest -q, timeout: {run: 10m, grace: 30s}}",
        ),
        Key(
            name="retries",
            at=TASKS,
            schema=either(_MAX, _RETRIES_SHAPE),
            doc="The number of retries after a failure. As a mapping: `max` is the number, "
            "`delay` the wait before a retry, `backoff` the factor by which it grows, `on` "
            "the exit codes to retry.",
            example="- key: fetch\n  run: curl -fO https://example.org/data\n"
            "  retries: {max: 3, delay: 10s, backoff: 2, on: [6, 7, 28]}",
        ),
    ),
)
