"""`perles resources`: each limit with what is used, who holds it, who waits; and how it was."""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from perles.cli.output import age, print_json, print_table, warn
from perles.domain.errors import UsageError
from perles.paths import Paths, home
from perles.store import resource_views, views
from perles.store.resource_views import Json

app = typer.Typer(help="Limits: what is used, who holds it, who waits.")

HEADERS = ("RESOURCE", "USED", "LIMIT", "WAITING", "HELD BY")
MAX_NAMED = 8
MAX_HOURS = 24 * 366


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="JSON, as docs/json.md describes it.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again at every second.")] = False,
) -> None:
    """Show every limit: used, waiting, holders."""
    if context.invoked_subcommand is not None:
        return
    while True:
        if watch and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        _print(json)
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(1)


@app.command()
def history(
    hours: Annotated[int, typer.Option(help="How many hours back (default a day).")] = 24,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show how many leases were held, peak and average by hour, from the journal."""
    if not 1 <= hours <= MAX_HOURS:
        raise UsageError(f"cannot go {hours} hours back: it must be 1 to {MAX_HOURS}")
    now = datetime.now(UTC)
    with views.reading(Paths(home(os.environ)).database_path()) as connection:
        rows = resource_views.history(connection, now - timedelta(hours=hours - 1), now)
    if json:
        print_json(rows)
    elif rows:
        table = [
            [row["hour"], row["resource"], str(row["peak"]), f"{row['average']:.2f}"]
            for row in rows
        ]
        print_table(("HOUR", "RESOURCE", "PEAK", "AVERAGE"), table)
    else:
        warn(f"nothing was held in the last {hours} hours")


def _print(as_json: bool) -> None:
    with views.reading(Paths(home(os.environ)).database_path()) as connection:
        found = resource_views.resources(connection)
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
            waiter["agent"] or "-",
            waiter["workflow_id"],
            age(waiter["since"]),
        ]
        for resource in found
        for place, waiter in enumerate(resource["queue"][:MAX_NAMED], 1)
    ]
    if rows:
        print()
        print_table(("WAITS FOR", "PLACE", "NAME", "AGENT", "ID", "SINCE"), rows)
