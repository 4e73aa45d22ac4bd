"""Routes that change a workflow as a whole: create, start, stop, merge, remove …"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from perles.domain.errors import UsageError
from perles.domain.specs import WorkflowSpec
from perles.domain.tokens import ADMIN, OPERATE
from perles.http import bodies
from perles.http.route import ONE_WORKFLOW, OUTCOME, Call, Empty, Parameter, Route
from perles.http.token_facade import Asking
from perles.http.wire import Response, as_json


def _spec(asking: Asking, body: bodies.NewWorkflow) -> WorkflowSpec:
    if not Path(body.work_dir).is_absolute():
        raise UsageError(
            f"cannot work in {body.work_dir!r}: give the whole path of a folder on this machine"
        )
    asking.folder = Path(body.work_dir)
    given = {name: getattr(body, name) for name in body.__struct_fields__ if name != "start"}
    file = given["args"].get("file")
    if file is not None:
        given["args"] = {**given["args"], "file": os.path.join(body.work_dir, file)}
    return WorkflowSpec(**given)


def create(asking: Asking, call: Call) -> Response:
    """Create a workflow, and start it where that is asked for."""
    workflow_id = asking.create(_spec(asking, call.body))
    return created(asking, workflow_id, starts=call.body.start)


def created(asking: Asking, workflow_id: str, *, starts: bool) -> Response:
    """The answer about a created workflow, which is started here if `starts`."""
    told: dict[str, Any] = {"id": workflow_id}
    if starts and asking.state_of(workflow_id) == "pending":
        told["status"] = asking.start(workflow_id).status
    return placed(as_json(told, 201), workflow_id)


def placed(answer: Response, workflow_id: str) -> Response:
    """The answer, with where the workflow is that was created."""
    place = ("Location", f"/api/v1/workflows/{workflow_id}")
    return answer._replace(headers=(*answer.headers, place))


def preview(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """The tasks that there would be."""
    return asking.preview(_spec(asking, call.body))


def retry(asking: Asking, call: Call) -> Response:
    """Create a workflow that goes on where this one ended."""
    body = call.body
    if body.file is None:
        new_id = asking.retry(call.path["id"], reconfigure=body.reconfigure)
    elif not Path(body.file).is_absolute():
        raise UsageError(
            f"cannot read {body.file!r}: give the whole path of a file on this machine"
        )
    else:
        new_id = asking.correct(
            call.path["id"], body.file, args=body.args, from_tasks=body.from_tasks
        )
    return created(asking, new_id, starts=False)


def remove(asking: Asking, call: Call) -> dict[str, Any]:
    """Remove a workflow."""
    return asking.remove([call.path["id"]], force=call.query.get("force", False))


def pull_request(asking: Asking, call: Call) -> dict[str, Any]:
    """Open a pull request."""
    body = call.body
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    return asking.pull_request(call.path["id"], **given)


ROUTES: Final = (
    Route(
        "POST",
        "/workflows",
        OPERATE,
        "Create a workflow of a template, a pipeline file (args.file) or a goal.",
        create,
        "{id}, and with start its status",
        body=bodies.NewWorkflow,
    ),
    Route(
        "POST",
        "/preview",
        OPERATE,
        "Preview the tasks of a workflow; nothing is written.",
        preview,
        "an array of tasks",
        body=bodies.NewWorkflow,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/start",
        OPERATE,
        "Start a pending workflow, as soon as there is room for it.",
        lambda asking, call: asking.start(call.path["id"]),
        OUTCOME,
        body=Empty,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/pause",
        OPERATE,
        "Pause a running workflow; no work is lost.",
        lambda asking, call: asking.pause(call.path["id"], reason=call.body.reason),
        OUTCOME,
        body=bodies.Reason,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/resume",
        OPERATE,
        "Resume a paused workflow.",
        lambda asking, call: asking.resume(call.path["id"]),
        OUTCOME,
        body=Empty,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/stop",
        OPERATE,
        "End a workflow for good.",
        lambda asking, call: asking.stop(
            call.path["id"],
            reason=call.body.reason,
            force=call.body.force,
            grace=call.body.grace,
        ),
        OUTCOME,
        body=bodies.Stopping,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/fail",
        OPERATE,
        "End a workflow as failed.",
        lambda asking, call: asking.fail(call.path["id"], call.body.reason),
        OUTCOME,
        body=bodies.NeededReason,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/archive",
        OPERATE,
        "Archive an ended workflow.",
        lambda asking, call: asking.archive(call.path["id"]),
        OUTCOME,
        body=Empty,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/retry",
        OPERATE,
        "Create a workflow that continues a failed or stopped one.",
        retry,
        "{id} of the new one",
        body=bodies.Retrying,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/set",
        OPERATE,
        "Change priority or budgets.",
        lambda asking, call: asking.set(
            call.path["id"],
            priority=call.body.priority,
            token_budget=call.body.token_budget,
            cost_budget=call.body.cost_budget,
        ),
        OUTCOME,
        body=bodies.Setting,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/rename",
        OPERATE,
        "Rename a workflow.",
        lambda asking, call: asking.rename(call.path["id"], call.body.name),
        OUTCOME,
        body=bodies.NewName,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/labels",
        OPERATE,
        "Add and remove labels.",
        lambda asking, call: asking.label(call.path["id"], call.body.add, call.body.remove),
        OUTCOME,
        body=bodies.Labels,
    ),
    Route(
        "DELETE",
        ONE_WORKFLOW,
        ADMIN,
        "Remove a workflow that has ended, with its session and its worktree.",
        remove,
        "perles rm --json",
        (Parameter("force", "Stop the workflow first if it has not ended.", "boolean"),),
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/pull-request",
        ADMIN,
        "Push a workflow's branch and open a pull request, once.",
        pull_request,
        "perles pr --json",
        body=bodies.PullRequest,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/merge",
        ADMIN,
        "Merge a workflow's branch; if anything is in the way, nothing changes.",
        lambda asking, call: asking.merge(
            call.path["id"],
            into=call.body.into,
            squash=call.body.squash,
            message=call.body.message,
        ),
        "perles merge --json",
        body=bodies.Merging,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/rebase",
        ADMIN,
        "Rebase the branch of a workflow onto its current base.",
        lambda asking, call: asking.rebase(call.path["id"], onto=call.body.onto),
        "perles rebase --json",
        body=bodies.Rebasing,
    ),
)
