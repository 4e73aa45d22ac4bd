"""`perles create` and `perles run` as Typer sees them: what their options are called."""

from typing import Annotated, Any, Final

import typer

from perles.cli import create as creating
from perles.cli import one_command
from perles.cli import run as running
from perles.cli.options import options

_SPEC: Final[dict[str, Any]] = {
    "name": typer.Option(help="Name of the workflow."),
    "arg": typer.Option(
        "--arg", metavar="K=V", help="Set an argument of the template or pipeline; repeatable."
    ),
    "label": typer.Option("--label", metavar="K=V", help="Add a label; repeatable."),
    "priority": typer.Option(help="low, normal or high."),
    "workers": typer.Option(help="Run at most this many workers at once (1 to 99)."),
    "work_dir": typer.Option(
        "--work-dir", metavar="DIR", help="Folder in which agents work (default: the current one)."
    ),
    "token_budget": typer.Option(
        "--token-budget", metavar="N", help="Spend at most N tokens; 0 means no limit."
    ),
    "cost_budget": typer.Option(
        "--cost-budget", metavar="USD", help="Spend at most this much; 0 means no limit."
    ),
    "coordinator": typer.Option(
        metavar="PROVIDER[:MODEL]", help="Provider of the coordinator, such as claude:opus."
    ),
    "worker": typer.Option(
        metavar="PROVIDER[:MODEL]", help="Provider of the workers, such as codex."
    ),
    "worktree": typer.Option(
        "--worktree/--no-worktree",
        help="Work in a git worktree, on a separate branch (default: the template decides).",
    ),
    "base": typer.Option(
        "--base", metavar="BRANCH", help="Base of the worktree's branch (default: HEAD)."
    ),
    "branch": typer.Option(
        "--branch", metavar="NAME", help="Name of the worktree's branch; an existing one is used."
    ),
    "begin": typer.Option("--from", metavar="TASK", help="Run this task and the tasks after it."),
    "skip": typer.Option("--skip", metavar="TASK", help="Skip this task; repeatable."),
    "on": typer.Option("--on", metavar="LABEL", help="Run on nodes with this label; repeatable."),
}
"""How the options of a spec are called and described."""
Tasks = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TASK…]",
        help="Run only these tasks and their dependencies: keys, groups such as a matrix, or `*`.",
    ),
]
Words = Annotated[
    str | None,
    typer.Option(one_command.OPTION, hidden=True, help="What stood behind --, as JSON."),
]


@options(creating.SpecOptions.of, _SPEC)
def create(
    chosen: creating.SpecOptions,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|TEMPLATE|GOAL",
            help="A pipeline file (- for standard input), a template, or a goal.",
        ),
    ] = None,
    tasks: Tasks = None,
    words: Words = None,
    as_json: Annotated[bool, typer.Option("--json", help='Print {"id": …}.')] = False,
) -> None:
    """Create a workflow and print its id; `perles start` starts it.

    `-` reads a pipeline from standard input; after `--` comes a single command.
    """
    creating.run(creating.CreateOptions(chosen, target, tuple(tasks or ()), words, as_json))


@options(creating.SpecOptions.of, _SPEC)
def run(
    chosen: creating.SpecOptions,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|TEMPLATE|ID|GOAL",
            help="A pipeline file (- for standard input), a template, a workflow, or a goal.",
        ),
    ] = None,
    tasks: Tasks = None,
    words: Words = None,
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
    chosen_tasks = tuple(tasks or ())
    raise typer.Exit(
        running.run(running.RunOptions(chosen, target, chosen_tasks, words, detach, dry_run, json))
    )
