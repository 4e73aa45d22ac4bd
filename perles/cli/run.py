"""`perles run`: create, start, and follow to the end; the exit code is the outcome."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from perles.cli import create
from perles.cli.output import print_json, print_table, warn
from perles.cli.runner import Runner
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import NotFoundError, UsageError
from perles.domain.explanations import first_line
from perles.domain.specs import WorkflowSpec


class RunOptions(NamedTuple):
    """What `perles run` is asked for; `words` is what stood behind `--`, as JSON."""

    chosen: create.SpecOptions
    target: str | None = None
    tasks: Sequence[str] = ()
    words: str | None = None
    detach: bool = False
    dry_run: bool = False
    json: bool = False

    @classmethod
    def of(
        cls,
        target: str | None = None,
        tasks: Sequence[str] | None = None,
        words: str | None = None,
        detach: bool = False,
        dry_run: bool = False,
        json: bool = False,
        **spec: Any,
    ) -> "RunOptions":
        """What these options mean; `spec` as in `SpecOptions.of`. Raises `UsageError`."""
        chosen = create.SpecOptions.of(**spec)
        return cls(chosen, target, tuple(tasks or ()), words, detach, dry_run, json)


def run(options: RunOptions) -> int:
    """Run a workflow to its end; the exit code. Raises `UsageError`."""
    plane, chosen, target = ControlPlane(), options.chosen, options.target
    workflow_id = None if target is None else _existing(plane, target)
    if options.dry_run:
        with chosen.specified(target, options.words, options.tasks) as spec:
            _preview(plane, spec, options.json)
        return 0
    if workflow_id is not None and (options.tasks or chosen.begin or chosen.skip):
        raise UsageError(
            f"cannot choose tasks of {workflow_id}: it has its tasks; perles retry goes on with it"
        )
    if workflow_id is None:
        create.tell_unused(plane)
        with chosen.specified(target, options.words, options.tasks) as spec:
            workflow_id = plane.create(spec)
        create.tell_unplaced(plane, workflow_id)
        if not options.json:
            _warn_once(plane, workflow_id)
    runner = Runner(plane, workflow_id, options.json)
    return runner.detach() if options.detach else runner.run()


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
