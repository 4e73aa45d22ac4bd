"""`perles agents`: who works, on what, at what cost."""

import os
from typing import Annotated

import typer

from perles.cli.output import print_json, print_table, say
from perles.config.home import Paths, home
from perles.controlplane.quick import Json, Reads
from perles.domain.money import in_cell
from perles.domain.provider_choice import label

HEADERS = ("WORKFLOW", "AGENT", "PROVIDER", "STATUS", "TASK", "TURNS", "TOKENS", "COST", "CONTEXT")
NODE = "NODE"
HERE = "(here)"
"""Stands for the engine's machine, beside nodes; no node has such a name."""


def command(
    id: Annotated[
        str | None,
        typer.Argument(help="Only this workflow: id, unique prefix, or unique name."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> None:
    """List the agents of one workflow, or of all running and paused ones."""
    found = Reads(Paths(home(os.environ))).agents(id)
    if json:
        print_json(found)
        return
    has_nodes = any(agent["node"] for agent in found)
    rows = [[*_row(agent), *([_node(agent)] if has_nodes else [])] for agent in found]
    print_table((*HEADERS, NODE) if has_nodes else HEADERS, rows, state=3)
    for agent in found:
        if agent["held_until"] and agent["status"] == "ready":
            say(
                f"{agent['name']} waits until {agent['held_until']} ({agent['error'] or 'limited'})"
            )


def _node(agent: Json) -> str:
    name: str = agent["node"] or HERE
    return f"{name} (unreachable)" if agent["unreachable"] else name


def _row(agent: Json) -> list[str]:
    tokens = agent["tokens_in"] + agent["tokens_out"]
    used, window = agent["context_used"], agent["context_window"]
    context = "-" if not used else f"{used}/{window}" if window else str(used)
    return [
        agent["workflow_id"],
        agent["name"],
        label(agent["provider"], agent["model"]),
        agent["status"],
        agent["task"] or "-",
        str(agent["turns"]),
        str(tokens),
        in_cell(agent["cost_usd"], tokens),
        context,
    ]
