"""`perles tasks`: the tasks of one workflow or of all, and which of them wait for a person."""

import os
from typing import Annotated

import typer

from perles.cli.output import print_json, print_table, warn
from perles.paths import Paths, home
from perles.store import task_views, views

HEADERS = ("WORKFLOW", "TASK", "STATUS", "NAME", "QUESTION")


def command(
    id: Annotated[str | None, typer.Argument(help="Only of this workflow.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what waits for you.")] = False,
    json: Annotated[bool, typer.Option("--json", help="An array.")] = False,
) -> None:
    """List tasks; `--waiting`: those that wait for you."""
    with views.reading(Paths(home(os.environ)).database_path()) as connection:
        workflow_id = None if id is None else views.resolve(connection, id)
        found = task_views.list_tasks(connection, workflow_id, waiting=waiting)
    if json:
        print_json(found)
    elif found:
        rows = [[t["workflow_id"], t["key"], t["status"], t["name"], t["question"]] for t in found]
        print_table(HEADERS, rows, state=2)
    else:
        warn("nothing waits for you" if waiting else "no tasks")
