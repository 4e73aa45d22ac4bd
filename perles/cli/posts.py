"""`perles posts`, `post`: what is said in the channels of a workflow, by agents and people."""

import os
import sys
from typing import Annotated, Any

import typer

from perles.access import origin
from perles.cli.options import Json, WorkflowId
from perles.cli.output import print_json, print_outcome, tell, warn
from perles.config.home import Paths, home
from perles.controlplane.plane import ControlPlane
from perles.controlplane.quick import Reads
from perles.domain.channels import MAX_POST, POSTABLE
from perles.domain.errors import PerlesError, UsageError
from perles.domain.explanations import moment
from perles.domain.text import clean

MAX_LIMIT = 1000
BODY = 7
"""Blanks before each line of a long post."""
TOLD = ("fabric.posted", "workflow.completed", "workflow.failed", "workflow.stopped")

Channel = Annotated[
    str | None, typer.Option("--channel", "-c", help=f"One of {', '.join(POSTABLE)}.")
]


def posts(
    id: WorkflowId,
    channel: Channel = None,
    thread: Annotated[
        int | None, typer.Option(metavar="N", help="Only the thread of post N.")
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=MAX_LIMIT, help="Show the newest N posts.")
    ] = 50,
    before: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only posts older than post N.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new posts until the end.")
    ] = False,
    json: Json = False,
) -> None:
    """Print what agents and people post in the channels of a workflow, in order.

    Printed posts count as read, except with --thread or --json.
    """
    if channel is not None and thread is not None:
        raise UsageError("cannot show a channel and a thread at once: a thread is in one channel")
    reads = Reads(Paths(home(os.environ)))
    workflow_id = reads.registry.resolve(id)
    since = reads.last_seq()  # before the posts: what comes between is read below
    wanted: dict[str, Any] = {"channel": channel, "thread": thread}
    found = reads.posts(workflow_id, **wanted, limit=limit, before=before)
    if json and not follow:
        print_json(found)
        return
    _print(found, json)
    _mark_read(reads, workflow_id, [] if json or thread is not None else found)
    if not (found or follow):
        warn("no posts")
    if follow:
        _follow(reads, workflow_id, wanted, since, found[-1]["id"] if found else 0, json)


def _follow(
    reads: Reads, workflow_id: str, wanted: dict[str, Any], since: int, last: int, as_json: bool
) -> None:
    if reads.state_of(workflow_id) not in ("pending", "running", "paused"):
        return
    events = reads.events.subscribe_filtered(types=TOLD, workflows=(workflow_id,), since=since)
    for event in events:
        while found := reads.posts(workflow_id, **wanted, after=last, limit=MAX_LIMIT):
            _print(found, as_json)
            _mark_read(reads, workflow_id, [] if as_json or wanted["thread"] else found)
            last = found[-1]["id"]
        if event["type"] != "fabric.posted":
            return


def _mark_read(reads: Reads, workflow_id: str, shown: list[dict[str, Any]]) -> None:
    """Mark channels as read up to what a person was shown; an agent's look changes nothing."""
    newest = {post["channel"]: int(post["id"]) for post in shown}
    if not newest or origin.here(reads.paths.database_path()).agent is not None:
        return
    unread = {one["channel"] for one in reads.channels(workflow_id) if one["unread"]}
    plane = ControlPlane()
    try:
        for channel in newest.keys() & unread:
            plane.mark_read(workflow_id, channel, newest[channel])
    except PerlesError as error:  # a home that one may read, but not write
        warn(f"cannot mark these posts as read: {error}")


def _print(found: list[dict[str, Any]], as_json: bool) -> None:
    for post in found:
        if as_json:
            print_json(post, line=True)
        else:
            for line in lines_of(post):
                tell(line, hang=max(0, BODY - (len(line) - len(line.lstrip()))))


def lines_of(post: dict[str, Any]) -> list[str]:
    """A post as lines: its id, time, channel and author, then its text, indented where it is long.

    A reply names its thread.
    """
    thread = "" if post["thread"] == post["id"] else f" ↳{post['thread']}"
    kind = "" if post["kind"] in ("info", "response") else f" ({post['kind']})"
    head = (
        f"{post['id']:>5}  {moment(post['at'])}  #{post['channel']}{thread}  "
        f"{clean(post['author'])}{kind}:"
    )
    text = clean(post["text"], lines=True).split("\n")
    lines = [f"{head} {text[0]}"] if len(text) == 1 else [head, *(f"       {one}" for one in text)]
    for file in post["artifacts"]:
        lines.append(clean(f"       file {file['path']} ({file['size_bytes']} bytes)"))
    return lines


def post(
    id: WorkflowId,
    text: Annotated[
        list[str] | None,
        typer.Argument(help="The text; without it, or with -, standard input is read."),
    ] = None,
    channel: Channel = None,
    reply: Annotated[
        int | None, typer.Option(metavar="N", help="Reply in the thread of post N.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help='Print {"id": …, "status": …}.')] = False,
) -> None:
    """Post in a channel of a workflow; @NAME notifies an agent, @here all of them."""
    if channel is not None and reply is not None:
        raise UsageError("cannot choose a channel for a reply: it stands where its thread is")
    plane = ControlPlane()
    outcome = plane.post(id, _body(text), channel=channel or "general", reply=reply)
    print_outcome(outcome, json)


def _body(text: list[str] | None) -> str:
    if text and text != ["-"]:
        return " ".join(text)
    if sys.stdin.isatty():
        raise UsageError("cannot post nothing: give a text, or pipe one in")
    return sys.stdin.buffer.read(4 * MAX_POST + 4).decode(errors="replace")
