"""`perles run`: create, start, and follow to the end; the exit code is the outcome."""

from typing import Annotated

import typer

from perles.cli import create
from perles.cli.options import options
from perles.cli.output import print_json, print_table, warn
from perles.cli.runner import Runner
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import NotFoundError, UsageError
from perles.domain.explanations import first_line
from perles.domain.specs import WorkflowSpec


@options(create.SpecOptions.of)
def command(
    chosen: create.SpecOptions,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|TEMPLATE|ID|GOAL",
            help="A pipeline file (- for standard input), a template, a workflow, or a goal.",
        ),
    ] = None,
    tasks: create.Tasks = None,
    words: create.Words = None,
    detach: Annotated[
        bool,
        typer.Option("--detach", "-d", help="Start it, print its id, and return."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the tasks without creating the workflow.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON event per line.")] = False,
) -> None:
    """Run a workflow to its end: exit 0 completed, 1 failed or stopped.

    It uses the running engine, or starts one that exits when the work is done. After `--` comes
    a single command: `perles run -- make test`.

    Ctrl-C pauses the workflow if this command started the engine; otherwise it only stops
    following. A second Ctrl-C kills the agents.
    """
    plane = ControlPlane()
    workflow_id = None if target is None else _existing(plane, target)
    if dry_run:
        with chosen.specified(target, words, tasks) as spec:
            _preview(plane, spec, json)
        return
    if workflow_id is not None and (tasks or chosen.begin or chosen.skip):
        raise UsageError(
            f"cannot choose tasks of {workflow_id}: it has its tasks; perles retry goes on with it"
        )
    if workflow_id is None:
        create.tell_unused(plane)
        with chosen.specified(target, words, tasks) as spec:
            workflow_id = plane.create(spec)
        if not json:
            _warn_once(plane, workflow_id)
    runner = Runner(plane, workflow_id, json)
    raise typer.Exit(runner.detach() if detach else runner.run())


def _preview(plane: ControlPlane, spec: WorkflowSpec, as_json: bool) -> None:
    """Print the tasks that it would have; nothing is written."""
    tasks = plane.preview(spec)
    if as_json:
        print_json(tasks)
        return
    rows = [
        [task["key"], task["name"], ", ".join(task["after"]), first_line(task["who"] or "")]
        for task in tasks
    ]
    print_table(("KEY", "NAME", "AFTER", "BY"), rows, soft=("NAME", "BY"))


def _warn_once(plane: ControlPlane, workflow_id: str) -> None:
    """Say what agents may do, the first time that some are started from this home folder."""
    staff = plane.staff(workflow_id) - {"builtin"}
    told = plane.paths.root / "agents-told"
    if staff and not told.exists():
        names = ", ".join(sorted(staff))
        warn(
            f"perles: agents of {names} run with full permissions in the work dir: nobody "
            "is asked. docs/agents.md tells of a sandbox. (Told once.)"
        )
        told.touch(0o600)


def _existing(plane: ControlPlane, target: str) -> str | None:
    """The workflow that somebody wants to go on with, where the target is one's id."""
    if not target.startswith("wf-") or create.is_file(target):
        return None
    try:
        found: str = plane.get(target)["id"]
    except NotFoundError:
        return None
    return found
