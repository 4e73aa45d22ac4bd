"""`perles sessions`: the folders in which what agents were given and said is kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from perles.cli.options import WorkflowId
from perles.cli.output import print_json, print_table, say, warn
from perles.config.home import Paths, home
from perles.controlplane.quick import Reads
from perles.domain.errors import NotFoundError, PerlesError
from perles.domain.explanations import moment
from perles.domain.summary_text import readme_text

app = typer.Typer(
    no_args_is_help=True, help="List, show and open the session folders of workflows."
)
HEADERS = ("WORKFLOW", "STATE", "STARTED", "NAME", "FOLDER")
OPENERS = ("xdg-open", "open")

Json = Annotated[bool, typer.Option("--json", help="Print JSON; docs/json.md describes it.")]


def _reads() -> Reads:
    return Reads(Paths(home(os.environ)))


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show the newest N.")] = 100,
    json: Json = False,
) -> None:
    """List session folders, the newest first."""
    found = _reads().sessions(limit)
    if json:
        print_json(found)
    elif found:
        rows = [
            [one["id"], one["state"], moment(one["started_at"]), one["name"], one["session_dir"]]
            for one in found
        ]
        print_table(HEADERS, rows, state=1)
    else:
        warn("no session yet: one begins when a workflow starts")


@app.command("show")
def show(id: WorkflowId, json: Json = False) -> None:
    """Show a run: its goal, its agents, its result and its cost."""
    found = _reads().summary(id)
    if json:
        print_json(found)
    else:
        say(readme_text(found).rstrip("\n"))


@app.command("open")
def open_(
    id: WorkflowId,
    json: Annotated[bool, typer.Option("--json", help='Only print {"path": …}.')] = False,
) -> None:
    """Open the session folder in the desktop's file manager, or print its path."""
    folder = _reads().get(id)["session_dir"]
    if not folder or not Path(folder).is_dir():
        raise NotFoundError("session folder of workflow", id, "perles sessions list shows all")
    opener = next(filter(None, map(shutil.which, OPENERS)), None)
    if json:
        print_json({"path": folder}, line=True)
        return
    if opener is None or not sys.stdout.isatty():
        say(folder)
        return
    if subprocess.run([opener, folder], check=False, stdin=subprocess.DEVNULL).returncode:
        raise PerlesError(f"cannot open {folder}: {opener} failed; open the folder yourself")
