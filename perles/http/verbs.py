"""Routes that change something: each is a verb of the façade."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from perles.domain.duration import GRACE
from perles.domain.errors import UsageError
from perles.domain.specs import PRIORITY_NORMAL, WorkflowSpec
from perles.domain.tokens import ADMIN, OPERATE
from perles.http.route import Call, Empty, Parameter, Route
from perles.http.token_facade import Asking
from perles.http.wire import Response, as_json


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys that are left out are the defaults here; others are refused."""


class NewWorkflow(_Body, frozen=True):
    """What to create; `work_dir` is a folder of the server's machine. `start` starts it."""

    work_dir: str
    template_id: str = ""
    goal: str | None = None
    name: str | None = None
    args: dict[str, str] = {}
    labels: dict[str, str] = {}
    priority: Literal["low", "normal", "high"] = PRIORITY_NORMAL
    token_budget: int = 0
    cost_budget: float = 0.0
    workers: int | None = None
    worktree: bool | None = None
    git_branch: str | None = None
    base_branch: str | None = None
    coordinator: str | None = None
    worker: str | None = None
    on: list[str] = []
    start: bool = False


class Reason(_Body, frozen=True):
    """Why, for the record."""

    reason: str | None = None


class NeededReason(_Body, frozen=True):
    """Why it cannot be done."""

    reason: str


class Stopping(_Body, frozen=True):
    """`grace`: seconds that agents have to end; none with `force`."""

    reason: str | None = None
    force: bool = False
    grace: float = GRACE


class Retrying(_Body, frozen=True):
    """`reconfigure`: agent CLIs are set up as the configuration says now.

    With a corrected pipeline `file`, by its whole path, what is as before stays done; it may have
    `args`, and `from_tasks` are done again.
    """

    reconfigure: bool = False
    file: str | None = None
    args: dict[str, str] = {}
    from_tasks: list[str] = []


class NewName(_Body, frozen=True):
    """What it is called from now on."""

    name: str


class Labels(_Body, frozen=True):
    """Labels to set, and keys of those to take away."""

    add: dict[str, str] = {}
    remove: list[str] = []


class PullRequest(_Body, frozen=True):
    """`dry_run` only tells title and text; `force` replaces the branch there."""

    base: str | None = None
    title: str | None = None
    draft: bool = False
    force: bool = False
    dry_run: bool = False


class Setting(_Body, frozen=True):
    """What is left out stays; a budget of 0 means no limit."""

    priority: Literal["low", "normal", "high"] | None = None
    token_budget: int | None = None
    cost_budget: float | None = None


class Message(_Body, frozen=True):
    """For the next turn of an agent."""

    text: str
    to: str = "coordinator"


class NewPost(_Body, frozen=True):
    """In a channel, or with `reply` in the thread of that post."""

    text: str
    channel: str | None = None
    reply: int | None = None


class ReadUpTo(_Body, frozen=True):
    """The id of the last post that was read."""

    post: int


class Approval(_Body, frozen=True):
    """`message` goes to the agents that go on."""

    message: str | None = None


class Denial(_Body, frozen=True):
    """Why not."""

    message: str


class Reply(_Body, frozen=True):
    """ "" is the default answer, a number one of the options."""

    text: str


class Spawning(_Body, frozen=True):
    """A worker more, of this provider where one is named."""

    provider: str | None = None
    reason: str = ""


class OnAgent(_Body, frozen=True):
    """`force` leaves its turn no time to end."""

    reason: str = ""
    force: bool = False


class Acknowledging(_Body, frozen=True):
    """The `seq` of entries, or all that need no answer."""

    seqs: list[int] = []
    everything: bool = False


class Merging(_Body, frozen=True):
    """`into`: a branch, by default the one that it began at."""

    into: str | None = None
    squash: bool = False
    message: str | None = None


class Rebasing(_Body, frozen=True):
    """`onto`: by default its base."""

    onto: str | None = None


def _spec(asking: Asking, body: NewWorkflow) -> WorkflowSpec:
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
        body=NewWorkflow,
    ),
    Route(
        "POST",
        "/preview",
        OPERATE,
        "Preview the tasks of a workflow; nothing is written.",
        preview,
        "an array of tasks",
        body=NewWorkflow,
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
        body=Reason,
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
        body=Stopping,
    ),
    Route(
        "POST",
        f"{_ONE}/fail",
        OPERATE,
        "End a workflow as failed.",
        lambda asking, call: asking.fail(call.path["id"], call.body.reason),
        _OUTCOME,
        body=NeededReason,
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
        body=Retrying,
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
        body=Setting,
    ),
    Route(
        "POST",
        f"{_ONE}/rename",
        OPERATE,
        "Rename a workflow.",
        lambda asking, call: asking.rename(call.path["id"], call.body.name),
        _OUTCOME,
        body=NewName,
    ),
    Route(
        "POST",
        f"{_ONE}/labels",
        OPERATE,
        "Add and remove labels.",
        lambda asking, call: asking.label(call.path["id"], call.body.add, call.body.remove),
        _OUTCOME,
        body=Labels,
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
        body=PullRequest,
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
        body=Message,
    ),
    Route(
        "POST",
        f"{_ONE}/posts",
        OPERATE,
        "Post in a channel as the user.",
        post,
        _OUTCOME,
        body=NewPost,
    ),
    Route(
        "POST",
        f"{_ONE}/channels/{{channel}}/read",
        OPERATE,
        "Mark a channel as read up to a post.",
        read_up_to,
        "{channel, read}",
        body=ReadUpTo,
    ),
    Route(
        "POST",
        f"{_ONE}/tasks/{{task}}/approve",
        OPERATE,
        "Approve a task that waits for a person.",
        lambda asking, call: asking.approve(call.path["id"], call.path["task"], call.body.message),
        _OUTCOME,
        body=Approval,
    ),
    Route(
        "POST",
        f"{_ONE}/tasks/{{task}}/deny",
        OPERATE,
        "Deny a task that waits for a person.",
        lambda asking, call: asking.deny(call.path["id"], call.path["task"], call.body.message),
        _OUTCOME,
        body=Denial,
    ),
    Route(
        "POST",
        f"{_ONE}/questions/{{number}}/answer",
        OPERATE,
        "Answer an agent's question.",
        answer,
        _OUTCOME,
        body=Reply,
    ),
    Route(
        "POST",
        f"{_ONE}/agents",
        OPERATE,
        "Add a worker.",
        spawn,
        _OUTCOME,
        body=Spawning,
    ),
    Route(
        "POST",
        f"{_ONE}/agents/{{agent}}/{{verb}}",
        OPERATE,
        "stop, resume, retire or replace an agent.",
        on_agent,
        _OUTCOME,
        body=OnAgent,
    ),
    Route(
        "POST",
        "/inbox/ack",
        OPERATE,
        "Acknowledge inbox entries.",
        acknowledge,
        "perles inbox ack --json",
        body=Acknowledging,
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
        body=Merging,
    ),
    Route(
        "POST",
        f"{_ONE}/rebase",
        ADMIN,
        "Rebase the branch of a workflow onto its current base.",
        lambda asking, call: asking.rebase(call.path["id"], onto=call.body.onto),
        "perles rebase --json",
        body=Rebasing,
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
        body=NeededReason,
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
