"""What a workflow is asked to be: the spec of a user, and the plan a template makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from perles.domain.execution import Execution
from perles.domain.fan_out import FanOut
from perles.domain.records import dataclass

PRIORITY_NORMAL: Final = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSpec:
    """What to create.

    `args` are the template's arguments as text, as they stand on a command line.
    `work_dir` is where agents work (default: the current folder). With `worktree` they work in
    a git worktree of it, on `git_branch` (default: a new one), which begins at `base_branch`
    (default: what is checked out); None leaves it to the template, and a branch or base means
    a worktree, too. `workers` caps the live workers of this workflow
    (default: what the template says).
    `token_budget` and `cost_budget` (USD): 0 means no limit.
    `coordinator` and `worker` choose who does it,
    written `claude` or `claude:opus`. With a `goal` in words no template is needed.
    `tasks` names the tasks of the template to run, with the ones that they need (default: all),
    `from_tasks` the ones to begin at, `skip_tasks` the ones to omit: keys, groups, patterns.
    In a cluster its agents run on nodes that have all of the labels `on`.
    """

    template_id: str = ""
    name: str | None = None
    priority: str = PRIORITY_NORMAL
    labels: Mapping[str, str] = field(default_factory=dict)
    token_budget: int = 0
    cost_budget: float = 0.0
    work_dir: str | None = None
    worktree: bool | None = None
    git_branch: str | None = None
    base_branch: str | None = None
    workers: int | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    goal: str | None = None
    coordinator: str | None = None
    worker: str | None = None
    tasks: Sequence[str] = ()
    from_tasks: Sequence[str] = ()
    skip_tasks: Sequence[str] = ()
    on: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worktree:
    """A worktree as somebody wants it: `copy` and `link` are paths that git ignores.

    `setup` is a command that prepares it.
    """

    base: str | None = None
    branch: str | None = None
    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    setup: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task of a plan: `run` is a command, `body` a prompt, `worker` who is to do it.

    `timeout` is in seconds, None means no limit. `execution` tells how its command is run.
    `when` is `always`, `on_failure`, a condition, or None: once all in `after` succeeded. A task
    that comes `last` runs once all others are over, however they ended.
    `fan_out` says where the items are that it is run for, one by one, at run time. `shares` are
    names within the workflow, each with how many tasks that have it may run side by side.
    `inputs` and `outputs` are the files that it takes and makes, paths below the work dir by key.
    """

    key: str
    name: str
    run: str | None = None
    body: str = ""
    after: tuple[str, ...] = ()
    assignee: str | None = None
    timeout: float | None = None
    retries: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    worker: str | None = None
    when: str | None = None
    last: bool = False
    execution: Execution = field(default_factory=Execution)
    fan_out: FanOut | None = None
    shares: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def blockers(self) -> tuple[str, ...]:
        """The keys of the tasks that it waits for, the one that has its items among them."""
        source = () if self.fan_out is None else (self.fan_out.task,)
        return tuple(dict.fromkeys((*self.after, *source)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a template makes of its arguments: everything that is stored when a workflow is created.

    `definition` is the source it was read from, kept with the workflow so that a
    later edit of the file changes nothing. `provider` names who runs the agents, `roles` who is
    the observer and who are the workers of a type, written `claude:opus`. `groups` are the keys
    of the tasks that one name stands for, such as that of a matrix or of an included file;
    `parameters` is what its file asks for. `instructions` tell its coordinator how to lead it.
    """

    template_id: str
    name: str
    tasks: tuple[TaskSpec, ...]
    workers: int = 2
    provider: str = "builtin"
    goal: str = ""
    definition: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    worktree: Worktree | None = None
    merge: Execution | None = None
    """The checks of a merge, and what reads them."""
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    instructions: str = ""
