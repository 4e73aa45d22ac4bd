"""`perles nodes`: the machines of a cluster, and which of them get turns."""

import os
import sys
import time
from typing import Annotated

import typer

from perles.cli.output import age, print_json, print_table, say, warn
from perles.config.home import Paths, home
from perles.controlplane.plane import ControlPlane
from perles.controlplane.quick import Json, Reads
from perles.domain.size import format_size

HEADERS = ("NODE", "STATE", "TURNS", "LABELS", "MEMORY", "DISK", "HEARD", "NOTE")
WATCH_SECONDS = 1.0
NO_NODES = "no nodes: turns run on this machine; docs/cluster.md tells how to add others"

app = typer.Typer(
    help="List the machines of the cluster, and stop or allow new turns on one.",
    invoke_without_command=True,
)


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Print again every second.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print an array of objects; with --watch one a line.")
    ] = False,
) -> None:
    """List the nodes: their state, their turns, what they have, and what is wrong."""
    if context.invoked_subcommand is not None:
        return
    reads = Reads(Paths(home(os.environ)))
    while True:
        found = reads.nodes()
        if watch and not json and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        if json:
            print_json(found, line=watch)
        elif found:
            print_table(HEADERS, [_row(node) for node in found], soft=("NOTE", "LABELS"))
        else:
            warn(NO_NODES)
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(WATCH_SECONDS)


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
