"""`perles resources`: each limit with what is used, who holds it, who waits; and how it was."""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from perles.cli.output import age, print_json, print_table, warn
from perles.config.home import Paths
from perles.controlplane.quick import MAX_HISTORY_HOURS, Json, Reads
from perles.domain.errors import UsageError

HEADERS = ("RESOURCE", "USED", "LIMIT", "WAITING", "HELD BY")
MAX_NAMED = 8


class ResourceOptions(NamedTuple):
    """What was asked for on the command line."""

    json: bool = False
    watch: bool = False


def run(options: ResourceOptions, paths: Paths) -> None:
    """Print every limit, once or, with `watch`, again at every second."""
    while True:
        if options.watch and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        _print(options.json, paths)
        if not options.watch:
            return
        sys.stdout.flush()
        time.sleep(1)


def history(hours: int, as_json: bool, paths: Paths) -> None:
    """Print peak and average by hour. Raises `UsageError`."""
    if not 1 <= hours <= MAX_HISTORY_HOURS:
        raise UsageError(f"cannot go {hours} hours back: it must be 1 to {MAX_HISTORY_HOURS}")
    now = datetime.now(UTC)
    rows = Reads(paths).resource_history(now - timedelta(hours=hours - 1), now)
    if as_json:
        print_json(rows)
    elif rows:
        table = [
            [row["hour"], row["resource"], str(row["peak"]), f"{row['average']:.2f}"]
            for row in rows
        ]
        print_table(("HOUR", "RESOURCE", "PEAK", "AVERAGE"), table)
    else:
        warn(f"nothing was held in the last {hours} hours")


def _print(as_json: bool, paths: Paths) -> None:
    found = Reads(paths).resources()
    if as_json:
        print_json(found)
    elif found:
        print_table(HEADERS, [_row(resource) for resource in found], soft=("HELD BY",))
        _print_queues(found)
    else:
        warn("no database yet: perles run FILE makes one")


def _row(resource: Json) -> list[str]:
    limit = "none" if resource["limit"] is None else f"{resource['limit']:g}"
    used = resource["used"]
    shown = f"{used:.2f}" if isinstance(used, float) else str(used)
    return [resource["resource"], shown, limit, str(resource["waiting"]), _held_by(resource)]


def _held_by(resource: Json) -> str:
    """Names of holders, the first ones; `name ×3` for several of one workflow."""
    if resource.get("resets_at"):
        return f"anew at {resource['resets_at']}"
    counts: dict[str, int] = {}
    for holder in resource["holders"]:
        name = holder["name"] if holder["state"] == "running" else f"{holder['name']} (paused)"
        name = f"{holder['value']} {name}" if resource["resource"] == "ports" else name
        counts[name] = counts.get(name, 0) + 1
    named = [f"{name} ×{count}" if count > 1 else name for name, count in counts.items()]
    more = f", … {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return ", ".join(named[:MAX_NAMED]) + more


def _print_queues(found: list[Json]) -> None:
    rows = [
        [
            resource["resource"],
            str(place),
            waiter["name"],
            waiter.get("task") or waiter["agent"] or "-",
            waiter["workflow_id"],
            age(waiter["since"]),
        ]
        for resource in found
        for place, waiter in enumerate(resource["queue"][:MAX_NAMED], 1)
    ]
    if rows:
        print()
        print_table(("WAITS FOR", "PLACE", "NAME", "WHO", "ID", "SINCE"), rows)
