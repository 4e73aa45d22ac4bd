"""Routes that change something: each is a verb of the façade."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from perles.domain.errors import UsageError
from perles.domain.specs import WorkflowSpec
from perles.domain.tokens import ADMIN, OPERATE
from perles.http import bodies
from perles.http.route import Call, Empty, Parameter, Route
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


def post(asking: Asking, call: Call) -> Any:
    """Post as the user."""
    body = call.body
    if body.channel is not None and body.reply is not None:
        raise UsageError("cannot choose a channel for a reply: it stands where its thread is")
    channel = body.channel or "general"
    return asking.post(call.path["id"], body.text, channel=channel, reply=body.reply)


def read_up_to(asking: Asking, call: Call) -> dict[str, Any]:
    """Mark a channel as read."""
    asking.mark_read(call.path["id"], call.path["channel"], call.body.post)
    return {"channel": call.path["channel"], "read": call.body.post}


def answer(asking: Asking, call: Call) -> Any:
    """Answer a question."""
    number = call.path["number"]
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise UsageError(f"cannot answer question {number!r}: give its number")
    return asking.answer(call.path["id"], call.body.text, int(number))


def spawn(asking: Asking, call: Call) -> Any:
    """Add a worker."""
    body = call.body
    return asking.agent(call.path["id"], "spawn", reason=body.reason, provider=body.provider)


def on_agent(asking: Asking, call: Call) -> Any:
    """Do something with one agent."""
    verb, body = call.path["verb"], call.body
    if verb == "spawn":
        raise UsageError("cannot spawn an agent by its name: POST …/agents adds one")
    name = call.path["agent"]
    return asking.agent(call.path["id"], verb, name, reason=body.reason, force=body.force)


def remove(asking: Asking, call: Call) -> dict[str, Any]:
    """Remove a workflow."""
    return asking.remove([call.path["id"]], force=call.query.get("force", False))


def pull_request(asking: Asking, call: Call) -> dict[str, Any]:
    """Open a pull request."""
    body = call.body
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    return asking.pull_request(call.path["id"], **given)


def resume_provider(asking: Asking, call: Call) -> dict[str, str]:
    """Ask a provider again."""
    name = call.path["name"]
    return {"provider": name, "held_for": asking.resume_provider(name)}


def on_node(asking: Asking, call: Call) -> dict[str, str]:
    """Stop or allow new turns on a node."""
    name, verb = call.path["name"], call.path["verb"]
    verbs = {"drain": asking.drain_node, "resume": asking.resume_node}
    if verb not in verbs:
        raise UsageError(f"cannot {verb} a node: drain or resume it")
    return {"node": name, "state": verbs[verb](name)}


def acknowledge(asking: Asking, call: Call) -> dict[str, int]:
    """Acknowledge inbox entries."""
    return {"acknowledged": asking.ack(call.body.seqs, everything=call.body.everything)}


def revoke(asking: Asking, call: Call) -> dict[str, str]:
    """Take a token back."""
    asking.revoke_token(call.path["name"])
    return {"name": call.path["name"], "status": "revoked"}


_OUTCOME: Final = "{id, status, text}: status succeeded, or 202 and waiting or queued"
_ONE: Final = "/workflows/{id}"

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
        f"{_ONE}/start",
        OPERATE,
        "Start a pending workflow, as soon as there is room for it.",
        lambda asking, call: asking.start(call.path["id"]),
        _OUTCOME,
        body=Empty,
    ),
    Route(
        "POST",
        f"{_ONE}/pause",
        OPERATE,
        "Pause a running workflow; no work is lost.",
        lambda asking, call: asking.pause(call.path["id"], reason=call.body.reason),
        _OUTCOME,
        body=bodies.Reason,
    ),
    Route(
        "POST",
        f"{_ONE}/resume",
        OPERATE,
        "Resume a paused workflow.",
        lambda asking, call: asking.resume(call.path["id"]),
        _OUTCOME,
        body=Empty,
    ),
    Route(
        "POST",
        f"{_ONE}/stop",
        OPERATE,
        "End a workflow for good.",
        lambda asking, call: asking.stop(
            call.path["id"],
            reason=call.body.reason,
            force=call.body.force,
            grace=call.body.grace,
        ),
        _OUTCOME,
        body=bodies.Stopping,
    ),
    Route(
        "POST",
        f"{_ONE}/fail",
        OPERATE,
        "End a workflow as failed.",
        lambda asking, call: asking.fail(call.path["id"], call.body.reason),
        _OUTCOME,
        body=bodies.NeededReason,
    ),
    Route(
        "POST",
        f"{_ONE}/archive",
        OPERATE,
        "Archive an ended workflow.",
        lambda asking, call: asking.archive(call.path["id"]),
        _OUTCOME,
        body=Empty,
    ),
    Route(
        "POST",
        f"{_ONE}/retry",
        OPERATE,
        "Create a workflow that continues a failed or stopped one.",
        retry,
        "{id} of the new one",
        body=bodies.Retrying,
    ),
    Route(
        "POST",
        f"{_ONE}/set",
        OPERATE,
        "Change priority or budgets.",
        lambda asking, call: asking.set(
            call.path["id"],
            priority=call.body.priority,
            token_budget=call.body.token_budget,
            cost_budget=call.body.cost_budget,
        ),
        _OUTCOME,
        body=bodies.Setting,
    ),
    Route(
        "POST",
        f"{_ONE}/rename",
        OPERATE,
        "Rename a workflow.",
        lambda asking, call: asking.rename(call.path["id"], call.body.name),
        _OUTCOME,
        body=bodies.NewName,
    ),
    Route(
        "POST",
        f"{_ONE}/labels",
        OPERATE,
        "Add and remove labels.",
        lambda asking, call: asking.label(call.path["id"], call.body.add, call.body.remove),
        _OUTCOME,
        body=bodies.Labels,
    ),
    Route(
        "DELETE",
        _ONE,
        ADMIN,
        "Remove a workflow that has ended, with its session and its worktree.",
        remove,
        "perles rm --json",
        (Parameter("force", "Stop the workflow first if it has not ended.", "boolean"),),
    ),
    Route(
        "POST",
        f"{_ONE}/pull-request",
        ADMIN,
        "Push a workflow's branch and open a pull request, once.",
        pull_request,
        "perles pr --json",
        body=bodies.PullRequest,
    ),
    Route(
        "POST",
        "/nodes/{name}/{verb}",
        ADMIN,
        "drain or resume a node.",
        on_node,
        "perles nodes drain --json",
        body=Empty,
    ),
    Route(
        "POST",
        "/providers/{name}/resume",
        ADMIN,
        "End the hold of a provider.",
        resume_provider,
        "perles providers resume --json",
        body=Empty,
    ),
    Route(
        "POST",
        f"{_ONE}/messages",
        OPERATE,
        "Send a message to an agent.",
        lambda asking, call: asking.send(call.path["id"], call.body.text, to=call.body.to),
        _OUTCOME,
        body=bodies.Message,
    ),
    Route(
        "POST",
        f"{_ONE}/posts",
        OPERATE,
        "Post in a channel as the user.",
        post,
        _OUTCOME,
        body=bodies.NewPost,
    ),
    Route(
        "POST",
        f"{_ONE}/channels/{{channel}}/read",
        OPERATE,
        "Mark a channel as read up to a post.",
        read_up_to,
        "{channel, read}",
        body=bodies.ReadUpTo,
    ),
    Route(
        "POST",
        f"{_ONE}/tasks/{{task}}/approve",
        OPERATE,
        "Approve a task that waits for a person.",
        lambda asking, call: asking.approve(call.path["id"], call.path["task"], call.body.message),
        _OUTCOME,
        body=bodies.Approval,
    ),
    Route(
        "POST",
        f"{_ONE}/tasks/{{task}}/deny",
        OPERATE,
        "Deny a task that waits for a person.",
        lambda asking, call: asking.deny(call.path["id"], call.path["task"], call.body.message),
        _OUTCOME,
        body=bodies.Denial,
    ),
    Route(
        "POST",
        f"{_ONE}/questions/{{number}}/answer",
        OPERATE,
        "Answer an agent's question.",
        answer,
        _OUTCOME,
        body=bodies.Reply,
    ),
    Route(
        "POST",
        f"{_ONE}/agents",
        OPERATE,
        "Add a worker.",
        spawn,
        _OUTCOME,
        body=bodies.Spawning,
    ),
    Route(
        "POST",
        f"{_ONE}/agents/{{agent}}/{{verb}}",
        OPERATE,
        "stop, resume, retire or replace an agent.",
        on_agent,
        _OUTCOME,
        body=bodies.OnAgent,
    ),
    Route(
        "POST",
        "/inbox/ack",
        OPERATE,
        "Acknowledge inbox entries.",
        acknowledge,
        "perles inbox ack --json",
        body=bodies.Acknowledging,
    ),
    Route(
        "POST",
        f"{_ONE}/merge",
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
        f"{_ONE}/rebase",
        ADMIN,
        "Rebase the branch of a workflow onto its current base.",
        lambda asking, call: asking.rebase(call.path["id"], onto=call.body.onto),
        "perles rebase --json",
        body=bodies.Rebasing,
    ),
    Route(
        "POST",
        "/resources/{resource}/reset",
        ADMIN,
        "Count tokens or cost_usd of all workflows together from 0 again.",
        lambda asking, call: {
            "resource": call.path["resource"],
            "was": asking.reset_total(call.path["resource"], call.body.reason),
        },
        "perles resources reset --json",
        body=bodies.NeededReason,
    ),
    Route(
        "POST",
        "/engine/reload",
        ADMIN,
        "Make the engine reload its configuration.",
        lambda asking, _call: asking.reload_config(),
        "perles config reload --json",
        body=Empty,
    ),
    Route(
        "DELETE",
        "/tokens/{name}",
        ADMIN,
        "Revoke a token. Requests with it are refused from then on, and its streams end.",
        revoke,
        "{name, status}",
    ),
)
