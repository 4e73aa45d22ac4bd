"""`perles tasks`, `approve`, `deny`: what waits for a person, and their answer."""

import shlex
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Any

import typer

from perles.cli.options import WorkflowId
from perles.cli.output import print_json, print_outcome, print_table, say, tell, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import NotFoundError, UsageError
from perles.domain.explanations import moment
from perles.domain.task_export import exported
from perles.domain.task_story import branches, foremost, story, why


class ExportForm(StrEnum):
    """The forms that tasks can be exported in."""

    MD = "md"
    JSON = "json"
    JSONL = "jsonl"


HEADERS = ("TASK", "STATUS", "ASSIGNEE", "WORKFLOW", "SINCE", "NOTE")

Key = Annotated[str, typer.Argument(help="The task's key; perles tasks shows it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; docs/json.md describes it.")]


def tasks(
    id: Annotated[str | None, typer.Argument(help="Only this workflow.")] = None,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="Show this task in full.")
    ] = None,
    tree: Annotated[
        bool,
        typer.Option("--tree", help="Show each task in full, below the task that it waits for."),
    ] = False,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only tasks that wait for you.")
    ] = False,
    export: Annotated[
        ExportForm | None,
        typer.Option(
            "--export",
            help="Print the tasks as a checklist (md), JSON, or JSON lines in the format of beads. "
            "perles run cook --arg tasks=FILE reads all three.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all tasks, not only the 200 most important ones.")
    ] = False,
    json: Json = False,
) -> None:
    """List tasks of one workflow or of all, show one in full, or export them."""
    if export is not None:
        _export(id, task, export)
        return
    if tree and id is None:
        raise UsageError("cannot show a tree of all workflows: perles tasks ID --tree")
    found = ControlPlane().tasks(id, waiting=waiting)
    if task is not None:
        found = [one for one in found if one["key"] == task]
        if not found:
            raise NotFoundError("task", task, f"perles tasks {id} shows the keys")
    if json:
        print_json(found)
        return
    shown = found if everything else foremost(found)
    if tree or task is not None:
        _print_stories(id or "", {one["key"] for one in shown})
    elif shown:
        print_table(HEADERS, [_row(one) for one in shown], state=1)
    else:
        warn("no task waits for you" if waiting else "no tasks")
    if len(shown) < len(found):
        all_of = shlex.join(["perles", "tasks", *([id] if id else [])])
        warn(f"… and {len(found) - len(shown)} more: {all_of} --all")


def _row(task: dict[str, Any]) -> list[str]:
    return [
        task["key"],
        task["status"],
        task["assignee"] or "-",
        task["workflow_id"],
        moment(task["waiting_since"]),
        task["failure"] or task["question"] or task["name"],
    ]


def _export(id: str | None, task: str | None, form: ExportForm) -> None:
    """Print the tasks as a file."""
    if id is None:
        raise UsageError(
            f"cannot export the tasks of all workflows: perles tasks ID --export {form}"
        )
    workflow = ControlPlane().get(id)
    wanted = [one for one in workflow["tasks"] if task in (None, one["key"])]
    if not wanted:
        raise NotFoundError("task", task or "any", f"perles tasks {id} shows the keys")
    print(exported(form, workflow["name"], wanted), end="")


def _print_stories(id: str, keys: Collection[str]) -> None:
    """All of these tasks, each under the one that it waits for."""
    for one, lead, below in branches(ControlPlane().get(id)["tasks"]):
        if one["key"] not in keys:
            continue
        whole = len(keys) > 1
        who = f", {one['assignee']}" if one["assignee"] else ""
        name = f"  {one['name']}" if one["name"] != one["key"] else ""
        say(f"{lead if whole else ''}{one['key']}: {one['status']}{who}{name}")
        for line in [*why(one), *story(one)]:
            tell(line, lead=f"{below if whole else ''}  ", hang=2)


def approve(
    id: WorkflowId,
    task: Key,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Add a message.")] = None,
    json: Json = False,
) -> None:
    """Approve a task that waits for you; the tasks that depend on it can start."""
    print_outcome(ControlPlane().approve(id, task, message), json, task=task)


def deny(
    id: WorkflowId,
    task: Key,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Reason; required.")
    ] = None,
    json: Json = False,
) -> None:
    """Deny a task that waits for you: it fails, and tasks that depend on it are skipped."""
    if message is None or not message.strip():
        raise UsageError("cannot deny a task without a reason: -m TEXT")
    print_outcome(ControlPlane().deny(id, task, message), json, task=task)
