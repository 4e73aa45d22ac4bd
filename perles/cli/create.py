"""`perles create`, and how a spec is read from a command line."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from perles.cli import one_command
from perles.cli.list import pairs
from perles.cli.output import print_json, warn
from perles.controlplane.creation import Creation
from perles.controlplane.home_folder import HomeFolder
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
        name: str | None = None,
        arg: Sequence[str] | None = None,
        label: Sequence[str] | None = None,
        priority: str = "normal",
        workers: int | None = None,
        work_dir: str | None = None,
        token_budget: int = 0,
        cost_budget: float = 0,
        coordinator: str | None = None,
        worker: str | None = None,
        worktree: bool | None = None,
        base: str | None = None,
        branch: str | None = None,
        begin: Sequence[str] | None = None,
        skip: Sequence[str] | None = None,
        on: Sequence[str] | None = None,
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


class CreateOptions(NamedTuple):
    """What `perles create` is asked for; `words` is what stood behind `--`, as JSON."""

    chosen: SpecOptions
    target: str | None = None
    tasks: Sequence[str] = ()
    words: str | None = None
    json: bool = False

    @classmethod
    def of(
        cls,
        target: str | None = None,
        tasks: Sequence[str] | None = None,
        words: str | None = None,
        json: bool = False,
        **spec: Any,
    ) -> "CreateOptions":
        """What these options mean; `spec` as in `SpecOptions.of`. Raises `UsageError`."""
        return cls(SpecOptions.of(**spec), target, tuple(tasks or ()), words, json)


def run(options: CreateOptions) -> None:
    """Create a workflow and print its id. Raises `UsageError`."""
    plane = Creation()
    tell_unused(plane)
    with options.chosen.specified(options.target, options.words, options.tasks) as spec:
        workflow_id = plane.create(spec)
    tell_unplaced(plane, workflow_id)
    if options.json:
        print_json({"id": workflow_id}, line=True)
    else:
        print(workflow_id)


def tell_unused(plane: HomeFolder) -> None:
    """Say what the repository's configuration must not decide unless it is trusted."""
    unused = [one for one in plane.unused_settings() if one.by_trust]
    if unused:
        file, keys = unused[0].file, ", ".join(clean(one.key) for one in unused)
        warn(
            f"perles: not used, since {file} is not trusted: {keys}; "
            f"look at it, then: perles trust {file.parent.parent}"
        )


def tell_unplaced(plane: Creation, workflow_id: str) -> None:
    """Say which tasks ask for a node where there is none."""
    if keys := plane.tasks_for_nodes(workflow_id):
        words = f"tasks {', '.join(map(clean, keys))} have" if keys[1:] else f"task {keys[0]} has"
        warn(
            f"perles: {words} needs:, and there is no cluster: this machine runs them, "
            "whatever it has"
        )


def is_goal(target: str) -> bool:
    """Whether a target is a goal in words: several words, and no file."""
    return len(target.split()) > 1 and not target.endswith(_FILES) and not _exists(target)


def is_command(text: str) -> bool:
    """Whether a text reads like a command line: it begins with a program, and is no sentence."""
    from shutil import which

    words = text.split()
    if which(words[0]) is None or "\n" in text:
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
