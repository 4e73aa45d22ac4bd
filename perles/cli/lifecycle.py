"""start, pause, resume, stop, fail, archive, retry: several workflows at once, a line each."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from perles.cli import retry_file
from perles.cli.options import options
from perles.cli.output import print_outcome, warn
from perles.cli.selection import Selection
from perles.controlplane.outcomes import Outcome
from perles.controlplane.plane import ControlPlane
from perles.domain.commands import Archive, Command, Fail, Pause, Resume, Start, Stop
from perles.domain.duration import GRACE, format_duration, parse_duration
from perles.domain.errors import PerlesError, UsageError
from perles.domain.states import RETRIABLE

T = TypeVar("T")
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait at a limit: exit with 6.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per workflow.")]


@options(Selection.of)
def start(
    selection: Selection,
    no_wait: NoWait = False,
    with_engine: Annotated[
        bool,
        typer.Option("--with-engine", help="Start an engine if none runs."),
    ] = False,
    json: Json = False,
) -> None:
    """Start pending workflows. When a limit is reached they wait in line.

    The running engine starts them. If none runs, the command asks on a terminal whether to
    start one.
    """
    plane = ControlPlane()
    with_engine = with_engine or (not json and _wants_engine(plane))
    request(selection, Start(no_wait=no_wait), json, with_engine=with_engine)


@options(Selection.of)
def pause(selection: Selection, json: Json = False) -> None:
    """Pause running workflows: agents are interrupted, nothing is lost."""
    request(selection, Pause(), json)


@options(Selection.of)
def resume(selection: Selection, no_wait: NoWait = False, json: Json = False) -> None:
    """Resume paused workflows. When a limit is reached they wait in line, still paused."""
    request(selection, Resume(no_wait=no_wait), json)


@options(Selection.of)
def stop(
    selection: Selection,
    reason: Annotated[str | None, typer.Option(help="Reason; stored with the workflow.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Kill agents without a grace period.")
    ] = False,
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="Time for agents to exit, such as 30s.")
    ] = format_duration(GRACE),
    json: Json = False,
) -> None:
    """Stop workflows for good and end all of their processes."""
    asked = Stop(reason=reason, force=force, grace=parse_duration(grace, bare_seconds=True))
    request(selection, asked, json)


@options(Selection.of)
def fail(
    selection: Selection,
    reason: Annotated[str, typer.Option(help="Reason; stored with the workflow.")],
    json: Json = False,
) -> None:
    """End workflows as failed, with all of their processes."""
    if not reason.strip():
        raise UsageError("cannot fail a workflow without a reason: --reason TEXT")
    request(selection, Fail(reason=reason), json)


@options(Selection.of)
def archive(selection: Selection, json: Json = False) -> None:
    """Archive ended workflows; list --all still shows them."""
    request(selection, Archive(), json)


StartThem = Annotated[bool, typer.Option("--start", help="Start the new ones at once.")]
WithEngine = Annotated[
    bool,
    typer.Option("--with-engine", help="Start them, and an engine if none runs."),
]
Reconfigure = Annotated[
    bool,
    typer.Option("--reconfigure", help="Use the folder's current configuration for agents."),
]
Corrected = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Continue one workflow with this corrected pipeline file.",
    ),
]
FromTasks = Annotated[
    list[str] | None,
    typer.Option(
        "--from", metavar="TASK", help="With --file: also run this task and the tasks after it."
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="K=V", help="With --file: change the value of a parameter."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="With --file: show what would run, and why.")
]


@options(Selection.of)
def retry(
    selection: Selection,
    start: StartThem = False,
    with_engine: WithEngine = False,
    reconfigure: Reconfigure = False,
    file: Corrected = None,
    begin: FromTasks = None,
    arg: Arguments = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Create workflows that continue where failed or stopped ones ended.

    The new workflow keeps the agent settings of the old one (executable, arguments,
    environment); --reconfigure takes the current ones.

    With --file, unchanged tasks that are done stay done. Changed tasks and the tasks after them
    run; new tasks are added, removed ones are dropped.
    """
    plane = ControlPlane()
    chosen = selection.resolve(plane, RETRIABLE)
    corrected = retry_file.read(chosen, file, begin, arg, dry_run=dry_run)
    if corrected is not None and dry_run:
        corrected.show(plane, as_json=json)
        return
    with_engine = with_engine or (start and not json and _wants_engine(plane))

    def again(ref: str) -> Callable[[], Outcome]:
        new_id = (
            plane.retry(ref, reconfigure=reconfigure)
            if corrected is None
            else corrected.create(plane)
        )
        if start or with_engine:
            return _asked(plane, new_id, Start(), with_engine=with_engine)
        text = f"retried {ref} as {new_id}; start it: perles run {new_id}"
        return lambda: Outcome(new_id, "succeeded", text)

    _each(chosen, again, json)


def _wants_engine(plane: ControlPlane) -> bool:
    """Whether the person who was asked wants an engine; nobody is where one runs."""
    if plane.is_attended() or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm("No engine runs. Start one that ends with its work?", True, err=True)


def request(
    selection: Selection, command: Command, as_json: bool, *, with_engine: bool = False
) -> None:
    """Ask for one thing to be done to all that are selected, and tell what became of each."""
    chosen = selection.resolve(ControlPlane(), sorted(command.states))
    ask_each(chosen, command, as_json, with_engine=with_engine)


def ask_each(
    refs: Sequence[str], command: Command, as_json: bool, *, with_engine: bool = False
) -> None:
    """Ask for one thing to be done to each of these, and tell what became of it."""
    plane = ControlPlane()
    _each(refs, lambda ref: _asked(plane, ref, command, with_engine=with_engine), as_json)


def _asked(
    plane: ControlPlane, ref: str, command: Command, *, with_engine: bool = False
) -> Callable[[], Outcome]:
    """Queue a command; what waits for its end."""
    asked = plane.ask(ref, command)
    return lambda: plane.outcome(asked, with_engine=with_engine)


def _each(refs: Sequence[str], ask: Callable[[str], Callable[[], Outcome]], as_json: bool) -> None:
    """Ask for all of them, then wait for each; the exit code is that of the first failure."""
    codes: list[int] = []
    asked = [_told(codes, partial(ask, ref)) for ref in refs]
    if not refs:
        warn("no workflow fits; nothing to do")
    for answer in asked:
        outcome = None if answer is None else _told(codes, answer)
        if outcome is not None:
            print_outcome(outcome, as_json)
    if codes:
        raise typer.Exit(codes[0])


def _told(codes: list[int], work: Callable[[], T]) -> T | None:
    """What `work` gives; None where it failed, which is told."""
    try:
        return work()
    except PerlesError as error:
        warn(f"perles: {error}")
        codes.append(error.exit_code)
        return None
