"""`perles wait`: until workflows have ended, or are in a state."""

import time
from typing import Annotated

import typer

from perles.api.plane import ENDS, ControlPlane, wanted_states
from perles.cli.options import WorkflowIds
from perles.cli.output import print_json, say, spent, warn
from perles.domain.duration import format_duration, parse_duration, span

TIMED_OUT = 124
"""The exit code after `--timeout`, as that of timeout(1)."""
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per workflow.")]


def command(
    ids: WorkflowIds,
    state: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="STATE,…",
            help="Wait for one of these states (default: the end; completed is exit 0).",
        ),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Wait at most this long, such as 10m.")
    ] = None,
    json: Json = False,
) -> None:
    """Wait until workflows end, or reach a state."""
    wanted = frozenset(("completed",)) if state is None else wanted_states(state)
    seconds = None if timeout is None else parse_duration(timeout, bare_seconds=True)
    deadline = None if seconds is None else time.monotonic() + seconds
    with ControlPlane() as plane:
        chosen = [plane.registry.resolve(id) for id in dict.fromkeys(ids)]
        late = missed = False
        for id in chosen:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            found = plane.wait(id, timeout=left, states=ENDS if state is None else state)
            missed |= found.is_terminal and found.state not in wanted
            late |= not found.is_terminal and found.state not in wanted
            if json:
                print_json({"id": id, "state": found.state, "reason": found.reason}, line=True)
            else:
                why = f" ({found.reason})" if found.reason else ""
                took = "" if found.uptime_s is None else f" after {span(found.uptime_s)}"
                say(f"{id} {found.name}: {found.state}{why}{took}{spent(found)}")
    if late and seconds is not None:
        what = "ended" if state is None else f"reached {state}"
        within = format_duration(seconds)
        warn(f"perles: not all {what} within {within}; perles show tells what they do")
    if late or missed:
        raise typer.Exit(TIMED_OUT if late else 1)
