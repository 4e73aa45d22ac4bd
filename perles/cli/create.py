"""`perles create`, and how a spec is read from a command line."""

from pathlib import Path
from typing import Annotated

import typer

from perles.cli.list import split_pair
from perles.cli.output import print_json
from perles.controlplane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.specs import WorkflowSpec

Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE|TEMPLATE|GOAL", help="A pipeline file, a template's key, a goal in words."
    ),
]
Name = Annotated[str | None, typer.Option(help="What to call the workflow.")]
Args = Annotated[
    list[str] | None, typer.Option("--arg", metavar="K=V", help="An argument of the template.")
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="K=V", help="A label; repeatable.")
]
Priority = Annotated[str, typer.Option(help="low, normal or high.")]
Workers = Annotated[int | None, typer.Option(help="Live workers at most (1 to 99).")]
WorkDir = Annotated[
    str | None, typer.Option("--work-dir", metavar="DIR", help="Where agents work (default: here).")
]
Budget = Annotated[
    int, typer.Option("--token-budget", metavar="N", help="Tokens at most; 0 means no limit.")
]
CostBudget = Annotated[
    float, typer.Option("--cost-budget", metavar="USD", help="USD at most; 0 means no limit.")
]
Coordinator = Annotated[
    str | None,
    typer.Option(metavar="PROVIDER[:MODEL]", help="Who leads, such as claude:opus."),
]
Worker = Annotated[
    str | None, typer.Option(metavar="PROVIDER[:MODEL]", help="Who works, such as codex.")
]


def command(
    target: Target,
    name: Name = None,
    arg: Args = None,
    label: Labels = None,
    priority: Priority = "normal",
    workers: Workers = None,
    work_dir: WorkDir = None,
    token_budget: Budget = 0,
    cost_budget: CostBudget = 0,
    coordinator: Coordinator = None,
    worker: Worker = None,
    json: Annotated[bool, typer.Option("--json", help='Print {"id": …}.')] = False,
) -> None:
    """Create a workflow and print its id; `perles start` starts it."""
    spec = spec_of(
        target,
        name,
        arg,
        label,
        priority,
        workers,
        work_dir,
        token_budget,
        cost_budget,
        coordinator,
        worker,
    )
    workflow_id = ControlPlane().create(spec)
    if json:
        print_json({"id": workflow_id}, line=True)
    else:
        print(workflow_id)


def spec_of(
    target: str,
    name: str | None,
    arg: list[str] | None,
    label: list[str] | None,
    priority: str,
    workers: int | None,
    work_dir: str | None,
    token_budget: int,
    cost_budget: float,
    coordinator: str | None = None,
    worker: str | None = None,
) -> WorkflowSpec:
    """The spec that these options mean. Raises `UsageError`."""
    args = _pairs("argument", arg)
    template, goal = target, None
    if is_goal(target):
        if args:
            raise UsageError("cannot use --arg with a goal in words: only templates have arguments")
        template, goal = "", target
    elif is_file(target):
        if "file" in args:
            raise UsageError(f"cannot use --arg file=… together with the file {target}")
        template, args = "pipeline", {"file": target, **args}
    return WorkflowSpec(
        template_id=template,
        name=name,
        priority=priority,
        labels=_pairs("label", label),
        token_budget=token_budget,
        cost_budget=cost_budget,
        work_dir=work_dir,
        workers=workers,
        args=args,
        goal=goal,
        coordinator=coordinator,
        worker=worker,
    )


def is_goal(target: str) -> bool:
    """Whether a target is a goal in words: several words, and no file."""
    return (
        len(target.split()) > 1 and not target.endswith((".yaml", ".yml")) and not _exists(target)
    )


def _is_file(target: str) -> bool:
    try:
        return Path(target).is_file()
    except OSError:
        return False  # too long for a name


def _exists(target: str) -> bool:
    try:
        return Path(target).exists()
    except OSError:
        return False  # too long for a name


def is_file(target: str) -> bool:
    """Whether a target means a pipeline file rather than a template."""
    return "/" in target or target.endswith((".yaml", ".yml")) or _is_file(target)


def _pairs(what: str, given: list[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given or ():
        key, value = split_pair(what, text)
        if key in found:
            raise UsageError(f"cannot use {what} {key!r} twice")
        found[key] = value
    return found
