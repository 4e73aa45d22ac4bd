"""On a branch of its own: what a spec, its plan and the configuration say of a worktree."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.config.home import Paths
from perles.config.model import Worktrees
from perles.domain.errors import UsageError
from perles.domain.execution import Execution
from perles.domain.specs import Plan, TaskSpec, WorkflowSpec, Worktree

if TYPE_CHECKING:
    from perles.workspace.repository import Ground

SETUP: Final = "setup"
"""The key of the task that prepares a worktree; all others wait for it."""


class Choice(NamedTuple):
    """A worktree that a workflow is to have, and what it is made from."""

    wish: Worktree
    ground: "Ground"

    def branch(self, workflow_id: str) -> str:
        """The branch; where nobody named one, it has the workflow's id in it."""
        return self.wish.branch or f"perles-workflow-{workflow_id.removeprefix('wf-')}"

    def path(self, paths: Paths, workflow_id: str) -> Path:
        """Where it is: in the home folder, where a repository's own tools do not look for files.

        A folder beside the repository would be found by its test runners and editors.
        """
        return paths.worktrees_dir() / f"{self.ground.top.name[:60]}-{workflow_id}"


def stored(wish: Worktree, merge: Execution | None) -> dict[str, Any]:
    """What is kept of a worktree: the files that come along, and the checks of a merge."""
    files: dict[str, Any] = {"copy": wish.copy, "link": wish.link}
    return files if merge is None else {**files, "merge": merge.stored()}


def chosen(spec: WorkflowSpec, plan: Plan, config: Worktrees, work_dir: Path) -> Choice | None:
    """What holds of a worktree; None for none. Raises `UsageError` where it cannot be had."""
    named = spec.git_branch is not None or spec.base_branch is not None
    if spec.worktree is False and named:
        raise UsageError("cannot use a branch or base without a worktree: leave one out")
    if not (spec.worktree or named or (spec.worktree is None and plan.worktree is not None)):
        return None
    if not (spec.worktree or named) and plan.worktree == Worktree() and not _has_git(work_dir):
        return None  # a template that likes one is of use outside of repositories, too
    wish = plan.worktree or Worktree()
    wish = replace(
        wish,
        base=spec.base_branch or wish.base,
        branch=spec.git_branch or wish.branch,
        copy=tuple(dict.fromkeys([*config.copy, *wish.copy])),
        link=tuple(dict.fromkeys([*config.link, *wish.link])),
        setup=wish.setup or config.setup,
    )
    from perles.workspace.repository import check_branch, ground  # it brings git with it

    found = ground(work_dir, wish.base)
    if wish.branch is not None:
        check_branch(found.top, wish.branch)
    return Choice(wish, found)


def _has_git(folder: Path) -> bool:
    return any((place / ".git").exists() for place in (folder, *folder.parents))


def with_setup(plan: Plan, wish: Worktree) -> Plan:
    """The plan with the task that prepares the worktree before all others.

    A goal in words has no tasks yet: its coordinator is told. Raises `UsageError` where the key
    of the task is taken.
    """
    if not wish.setup:
        return plan
    if not plan.tasks:
        first_of_all = f"Before anything else, have this command run once: {wish.setup}"
        return replace(plan, goal=f"{plan.goal}\n\n{first_of_all}")
    if any(task.key == SETUP for task in plan.tasks):
        raise UsageError(
            f"cannot add a task that sets the worktree up: there is a task {SETUP!r}; rename it"
        )
    first = TaskSpec(key=SETUP, name="Set the worktree up", run=wish.setup)
    others = [task if task.after else replace(task, after=(SETUP,)) for task in plan.tasks]
    return replace(plan, tasks=(first, *others))
