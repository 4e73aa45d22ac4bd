"""`perles merge`, `rebase`, `overlap`: what becomes of the branches of workflows."""

from typing import Annotated

import typer

from perles.cli.options import Json, WorkflowId
from perles.cli.output import print_json, print_table, say, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.text import clean

HEADERS = ("FILE", "WORKFLOWS", "REPOSITORY")


def merge(
    id: WorkflowId,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="BRANCH", help="The branch (default: the workflow's base)."),
    ] = None,
    squash: Annotated[bool, typer.Option("--squash", help="Merge as one commit.")] = False,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="Message of the commit.")
    ] = None,
    no_checks: Annotated[
        bool, typer.Option("--no-checks", help="Skip the pipeline's checks.")
    ] = False,
    json: Json = False,
) -> None:
    """Merge a workflow's branch; if anything is in the way, nothing changes.

    If its pipeline has merge: {checks: […]}, they must first pass in a checkout of the result. A
    repeated call reports the merge.
    """
    from perles.workspace.merging import CheckFailedError

    try:
        done = ControlPlane().merge(
            id, into=into, squash=squash, message=message, checks=not no_checks, tell=_checking
        )
    except CheckFailedError as failed:
        for line in failed.output.splitlines():
            warn(f"  {line}")
        raise
    if json:
        print_json(done)
        return
    commit, target = done["commit"][:12], clean(done["into"])
    if done["already"]:
        say(f"{done['id']} is merged already: {target} has it, at {commit}")
    else:
        say(f"merged {done['id']} into {target} as {commit}")


def _checking(command: str) -> None:
    first, _, more = command.strip().partition("\n")
    warn(f"checking: {first}{' …' if more else ''}")


def rebase(
    id: WorkflowId,
    onto: Annotated[
        str | None,
        typer.Option("--onto", metavar="BRANCH", help="The branch (default: the workflow's base)."),
    ] = None,
    json: Json = False,
) -> None:
    """Rebase the branch of a workflow onto its current base; the workflow must not run."""
    done = ControlPlane().rebase(id, onto=onto)
    if json:
        print_json(done)
    else:
        many = "1 commit" if done["commits"] == 1 else f"{done['commits']} commits"
        say(f"rebased {clean(done['branch'])} onto {clean(done['onto'])}: {many}")


def overlap(json: Json = False) -> None:
    """List files with unmerged changes on the branches of two or more workflows."""
    found = ControlPlane().overlap()
    if json:
        print_json(found)
    elif not found:
        warn("no file was changed by two workflows")
    else:
        rows = [
            [clean(one["path"]), " ".join(one["workflows"]), one["repository"]] for one in found
        ]
        print_table(HEADERS, rows)
