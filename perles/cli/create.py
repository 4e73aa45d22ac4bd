"""`perles create`, and how a spec is read from a command line."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from perles.cli import one_command
from perles.cli.list import pairs
from perles.cli.options import options
from perles.cli.output import print_json, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.specs import WorkflowSpec
from perles.domain.text import clean

LONGEST_COMMAND = 4
"""Words, from which on a text without an option is taken for a goal."""
_OPERATORS = frozenset({"&&", "||", "|", ";", ">", ">>", "<"})
_SMALL_WORDS = frozenset(
    {"the", "a", "an", "this", "that", "these", "my", "our", "your", "all", "every", "each"}
    | {"it", "its", "of", "in", "into", "to", "for", "with", "from", "on", "out", "and", "or"}
    | {"so", "is", "are", "be", "please", "why", "how", "what"}
)
_HOW_TO_COMMAND = (
    "cannot tell whether {text!r} is a command or a goal: to run a command, make it a task: "
    "printf '{{name: x, tasks: [{{key: x, run: \"%s\"}}]}}' '{text}' > x.yaml; perles run x.yaml; "
    "a goal for agents is a sentence, with a full stop"
)
_FILES = (".yaml", ".yml", ".json")
Target = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE|TEMPLATE|GOAL",
        help="A pipeline file (- for standard input), a template, or a goal.",
    ),
]
Words = Annotated[
    str | None,
    typer.Option(one_command.OPTION, hidden=True, help="What stood behind --, as JSON."),
]
Name = Annotated[str | None, typer.Option(help="Name of the workflow.")]
Args = Annotated[
    list[str] | None,
    typer.Option(
        "--arg", metavar="K=V", help="Set an argument of the template or pipeline; repeatable."
    ),
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="K=V", help="Add a label; repeatable.")
]
Priority = Annotated[str, typer.Option(help="low, normal or high.")]
Workers = Annotated[
    int | None, typer.Option(help="Run at most this many workers at once (1 to 99).")
]
WorkDir = Annotated[
    str | None,
    typer.Option(
        "--work-dir", metavar="DIR", help="Folder in which agents work (default: the current one)."
    ),
]
Budget = Annotated[
    int,
    typer.Option("--token-budget", metavar="N", help="Spend at most N tokens; 0 means no limit."),
]
CostBudget = Annotated[
    float,
    typer.Option("--cost-budget", metavar="USD", help="Spend at most this much; 0 means no limit."),
]
Coordinator = Annotated[
    str | None,
    typer.Option(
        metavar="PROVIDER[:MODEL]", help="Provider of the coordinator, such as claude:opus."
    ),
]
Worker = Annotated[
    str | None,
    typer.Option(metavar="PROVIDER[:MODEL]", help="Provider of the workers, such as codex."),
]

InWorktree = Annotated[
    bool | None,
    typer.Option(
        "--worktree/--no-worktree",
        help="Work in a git worktree, on a branch of its own (default: as the template says).",
    ),
]
Base = Annotated[
    str | None,
    typer.Option("--base", metavar="BRANCH", help="Base of the worktree's branch (default: HEAD)."),
]
Branch = Annotated[
    str | None,
    typer.Option(
        "--branch", metavar="NAME", help="Name of the worktree's branch; an existing one is used."
    ),
]

Tasks = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TASK]...",
        help="Run only these tasks and their dependencies: keys, groups such as a matrix, or `*`.",
    ),
]
Begin = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="TASK", help="Run this task and the tasks after it."),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="TASK", help="Skip this task; repeatable."),
]
On = Annotated[
    list[str] | None,
    typer.Option("--on", metavar="LABEL", help="Run on nodes with this label; repeatable."),
]


class SpecOptions(NamedTuple):
    """How a workflow is to be, as far as options say it."""

    name: str | None
    args: dict[str, str]
    labels: dict[str, str]
    priority: str
    workers: int | None
    work_dir: str | None
    token_budget: int
    cost_budget: float
    coordinator: str | None
    worker: str | None
    worktree: bool | None
    base: str | None
    branch: str | None
    begin: tuple[str, ...]
    skip: tuple[str, ...]
    on: tuple[str, ...]

    @classmethod
    def of(
        cls,
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
        worktree: InWorktree = None,
        base: Base = None,
        branch: Branch = None,
        begin: Begin = None,
        skip: Skip = None,
        on: On = None,
    ) -> "SpecOptions":
        """What these options mean. Raises `UsageError`."""
        return cls(
            name,
            pairs("argument", arg),
            pairs("label", label),
            priority,
            workers,
            work_dir,
            token_budget,
            cost_budget,
            coordinator,
            worker,
            worktree,
            base,
            branch,
            tuple(begin or ()),
            tuple(skip or ()),
            tuple(on or ()),
        )

    @contextmanager
    def specified(
        self, target: str | None, words: str | None, tasks: Sequence[str] | None = None
    ) -> Iterator[WorkflowSpec]:
        """The spec of a target, or of the command behind `--`. Raises `UsageError`."""
        if (target is None) == (words is None):
            raise UsageError(
                "cannot tell what to do: give a file, a template or a goal, or a command behind --"
            )
        if words is None:
            assert target is not None
            yield self.spec(one_command.STDIN if target == "-" else target, tasks or ())
            return
        with one_command.pipeline_of(json.loads(words)) as file:
            yield self.spec(file)

    def spec(self, target: str, tasks: Sequence[str] = ()) -> WorkflowSpec:
        """The spec of a workflow of this file, template or goal. Raises `UsageError`."""
        template, goal, args = target, None, self.args
        if is_goal(target):
            if self.coordinator is None and is_command(target):
                raise UsageError(_HOW_TO_COMMAND.format(text=target))
            if args:
                raise UsageError(
                    "cannot use --arg with a goal in words: only templates have arguments"
                )
            if tasks or self.begin or self.skip:
                raise UsageError("cannot name tasks of a goal in words: it has none yet")
            template, goal = "", target
        elif is_file(target):
            if "file" in args:
                raise UsageError(f"cannot use --arg file=… together with the file {target}")
            template, args = "pipeline", {"file": target, **args}
        return WorkflowSpec(
            template_id=template,
            name=self.name,
            priority=self.priority,
            labels=self.labels,
            token_budget=self.token_budget,
            cost_budget=self.cost_budget,
            work_dir=self.work_dir,
            workers=self.workers,
            args=args,
            goal=goal,
            coordinator=self.coordinator,
            worker=self.worker,
            worktree=self.worktree,
            git_branch=self.branch,
            base_branch=self.base,
            tasks=tuple(tasks),
            from_tasks=self.begin,
            skip_tasks=self.skip,
            on=self.on,
        )


@options(SpecOptions.of)
def command(
    chosen: SpecOptions,
    target: Target = None,
    tasks: Tasks = None,
    words: Words = None,
    as_json: Annotated[bool, typer.Option("--json", help='Print {"id": …}.')] = False,
) -> None:
    """Create a workflow and print its id; `perles start` starts it.

    `-` reads a pipeline from standard input; after `--` comes a single command.
    """
    plane = ControlPlane()
    tell_unused(plane)
    with chosen.specified(target, words, tasks) as spec:
        workflow_id = plane.create(spec)
    if as_json:
        print_json({"id": workflow_id}, line=True)
    else:
        print(workflow_id)


def tell_unused(plane: ControlPlane) -> None:
    """Say what the repository's configuration must not decide unless it is trusted."""
    unused = [one for one in plane.unused_settings() if one.by_trust]
    if unused:
        file, keys = unused[0].file, ", ".join(clean(one.key) for one in unused)
        warn(
            f"perles: not used, since {file} is not trusted: {keys}; "
            f"look at it, then: perles trust {file.parent.parent}"
        )


def is_goal(target: str) -> bool:
    """Whether a target is a goal in words: several words, and no file."""
    return len(target.split()) > 1 and not target.endswith(_FILES) and not _exists(target)


def is_command(text: str) -> bool:
    """Whether a text reads like a command line: it begins with a program, and is no sentence."""
    words = text.split()
    if shutil.which(words[0]) is None or "\n" in text:
        return False
    if any(word.startswith("-") or word in _OPERATORS for word in words[1:]):
        return True
    is_sentence = text.rstrip().endswith((".", "!", "?")) or _SMALL_WORDS & set(
        text.lower().split()
    )
    return len(words) <= LONGEST_COMMAND and not is_sentence


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
    return "/" in target or target.endswith(_FILES) or _is_file(target)
