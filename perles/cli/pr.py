"""`perles pr`: a workflow's branch as a pull request, where others review it."""

from typing import Annotated

import typer

from perles.cli.options import Json, WorkflowId
from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane
from perles.domain.text import clean


def command(
    id: WorkflowId,
    draft: Annotated[bool, typer.Option("--draft", help="Open a draft.")] = False,
    title: Annotated[
        str | None,
        typer.Option("--title", metavar="TEXT", help="The title (default: the workflow's name)."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="BRANCH", help="The branch (default: the workflow's base)."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Force the push, as after a rebase: replace the remote branch."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the pull request without contacting a server.")
    ] = False,
    json: Json = False,
) -> None:
    """Push a workflow's branch and open a pull request with gh or glab.

    A second call pushes new commits and shows the open pull request.
    """
    options = {"draft": draft, "force": force, "dry_run": dry_run}
    found = ControlPlane().pull_request(id, base=base, title=title, **options)
    if json:
        print_json(found)
    elif dry_run:
        where = f" to {clean(found['remote'])}"
        say(f"would push {clean(found['branch'])}{where}, and open into {clean(found['base'])}:")
        say(f"\n{found['title']}\n\n{found['body']}")
    else:
        what = "is open already" if found["already"] else "opened"
        pushed = f"; pushed {clean(found['branch'])}" if found["pushed"] else ""
        say(f"{clean(found['url'])} {what}{pushed}")
