"""`perles nodes`: the machines of a cluster, and which of them get turns."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from perles.cli.output import age, print_json, print_table, say, warn
from perles.config.home import Paths, home
from perles.controlplane.plane import ControlPlane
from perles.controlplane.quick import Json, Reads
from perles.domain.cluster_words import no_nodes, standing
from perles.domain.explanations import NO_ENGINE, advice
from perles.domain.size import format_size

HEADERS = ("NODE", "STATE", "TURNS", "LABELS", "MEMORY", "DISK", "HEARD", "NOTE")
WATCH_SECONDS = 1.0

app = typer.Typer(
    help="List the machines of the cluster; drain one (no new turns), or resume it.",
    invoke_without_command=True,
)


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Print again every second.")] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print an array of objects; with --watch, one object per line."
        ),
    ] = False,
) -> None:
    """List the nodes: their state, their turns, what they have, and what is wrong."""
    if context.invoked_subcommand is not None:
        return
    reads = Reads(Paths(home(os.environ)))
    while True:
        found, cluster, runs = reads.cluster()
        if watch and not json and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        if json:
            print_json(found, line=watch)
        else:
            _tell(found, cluster, runs)
            if found:
                print_table(HEADERS, [_row(node) for node in found], soft=("NOTE", "LABELS"))
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(WATCH_SECONDS)


def _tell(found: Sequence[Json], cluster: Json | None, runs: bool) -> None:
    """Say how the cluster stands where there is something to say."""
    if cluster is not None and not runs:
        left = "this is how the last one left the nodes; " if found else ""
        warn(f"{NO_ENGINE}; {left}{advice(NO_ENGINE)}")
    elif not found:
        warn(no_nodes(cluster))
    elif cluster is not None and cluster["state"] != "connected":
        warn(f"cluster {cluster['place']}: {standing(cluster)}")


@app.command()
def drain(
    name: Annotated[str, typer.Argument(help="The node's name.")],
    json: Annotated[bool, typer.Option("--json", help='Print {"node": …, "state": …}.')] = False,
) -> None:
    """Give a node no more turns. Turns that run there end by themselves."""
    state = ControlPlane().drain_node(name)
    if json:
        print_json({"node": name, "state": state}, line=True)
    else:
        say(f"{name} gets no more turns; it is {state}. Undo: perles nodes resume {name}")


@app.command()
def resume(
    name: Annotated[str, typer.Argument(help="The node's name.")],
    json: Annotated[bool, typer.Option("--json", help='Print {"node": …, "state": …}.')] = False,
) -> None:
    """Let a node get turns again."""
    state = ControlPlane().resume_node(name)
    if json:
        print_json({"node": name, "state": state}, line=True)
    else:
        say(f"{name} gets turns again; it is {state}")


def _row(node: Json) -> list[str]:
    note = "; ".join(node["problems"])
    memory = node["memory_free"], node["memory"]
    return [
        node["name"],
        node["state"],
        f"{node['used']}/{node['slots']}",
        ",".join(node["labels"]) or "-",
        " of ".join(format_size(one) for one in memory) if all(memory) else "-",
        format_size(node["disk_free"]) if node["disk_free"] else "-",
        age(node["last_heard_at"]),
        note or "-",
    ]
