"""Routes by which people talk with agents, decide, and add or end an agent."""

from __future__ import annotations

from typing import Any, Final

from perles.domain.errors import UsageError
from perles.domain.tokens import OPERATE
from perles.http import bodies
from perles.http.route import ONE_WORKFLOW, OUTCOME, Call, Route
from perles.http.token_facade import Asking


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


def acknowledge(asking: Asking, call: Call) -> dict[str, int]:
    """Acknowledge inbox entries."""
    return {"acknowledged": asking.ack(call.body.seqs, everything=call.body.everything)}


ROUTES: Final = (
    Route(
        "POST",
        f"{ONE_WORKFLOW}/messages",
        OPERATE,
        "Send a message to an agent.",
        lambda asking, call: asking.send(call.path["id"], call.body.text, to=call.body.to),
        OUTCOME,
        body=bodies.Message,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/posts",
        OPERATE,
        "Post in a channel as the user.",
        post,
        OUTCOME,
        body=bodies.NewPost,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/channels/{{channel}}/read",
        OPERATE,
        "Mark a channel as read up to a post.",
        read_up_to,
        "{channel, read}",
        body=bodies.ReadUpTo,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/tasks/{{task}}/approve",
        OPERATE,
        "Approve a task that waits for a person.",
        lambda asking, call: asking.approve(call.path["id"], call.path["task"], call.body.message),
        OUTCOME,
        body=bodies.Approval,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/tasks/{{task}}/deny",
        OPERATE,
        "Deny a task that waits for a person.",
        lambda asking, call: asking.deny(call.path["id"], call.path["task"], call.body.message),
        OUTCOME,
        body=bodies.Denial,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/questions/{{number}}/answer",
        OPERATE,
        "Answer an agent's question.",
        answer,
        OUTCOME,
        body=bodies.Reply,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/agents",
        OPERATE,
        "Add a worker.",
        spawn,
        OUTCOME,
        body=bodies.Spawning,
    ),
    Route(
        "POST",
        f"{ONE_WORKFLOW}/agents/{{agent}}/{{verb}}",
        OPERATE,
        "stop, resume, retire or replace an agent.",
        on_agent,
        OUTCOME,
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
)
