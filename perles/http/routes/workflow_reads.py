"""Routes that read workflows: the list, and what one of them holds."""

from __future__ import annotations

from typing import Any, Final

from perles.domain.errors import UsageError
from perles.domain.tokens import READ
from perles.domain.workflow_filter import filter_of
from perles.http.route import ALL, LIMIT, Call, Parameter, Route
from perles.http.routes.event_reads import MAX_EVENTS
from perles.http.token_facade import Asking
from perles.http.wire import Response, as_json

MAX_PATCH: Final = 2 * 1024 * 1024
"""Bytes of a patch that are shown; `perles diff` shows all."""


def workflows(asking: Asking, call: Call) -> Response:
    """The list; a header tells how many more there are."""
    given = call.given("template", "priority", "name", "limit", "sort")
    text, typing = call.query.get("filter", ""), call.query.get("typing", False)
    labels = [text.partition("=") for text in call.words("label")]
    if any(not equals for _, equals, _ in labels):
        raise UsageError("cannot filter by label: write it like team=red")
    wanted = filter_of(
        states=call.words("state"),
        labels=[(key, value) for key, _, value in labels],
        everything=call.query.get("all", False),
        filter="" if typing else text,
        **given,
    )._replace(filter=text)
    found = asking.registry.list(wanted)
    answer = as_json(found.rows)
    return answer._replace(headers=(*answer.headers, ("Perles-More", str(found.more))))


def posts(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """Posts of a workflow."""
    given = call.given("channel", "thread", "after", "before", "limit")
    return asking.posts(call.path["id"], **given)


def diff(asking: Asking, call: Call) -> dict[str, Any]:
    """What a workflow changed; a very long patch is cut."""
    found = asking.diff(
        call.path["id"],
        [call.query["path"]] if "path" in call.query else (),
        task=call.query.get("task"),
        with_patch=not call.query.get("stat", False),
    )
    patch = found.get("patch", "")
    return found | ({"patch": patch[:MAX_PATCH], "cut": True} if len(patch) > MAX_PATCH else {})


ROUTES: Final = (
    Route(
        "GET",
        "/workflows",
        READ,
        "List workflows, newest first; the header Perles-More has the number of further matches.",
        workflows,
        "perles list --json",
        (
            Parameter("state", "States, separated by commas."),
            Parameter("label", "key=value; several are separated by commas."),
            Parameter("template", "The template's id."),
            Parameter("priority", "low, normal or high."),
            Parameter("name", "A part of the name, or a glob."),
            Parameter("filter", 'As list --filter: state:running agent:codex cost:>2 "text".'),
            Parameter("typing", "Ignore invalid words of the filter.", "boolean"),
            Parameter("sort", "created, attention, name, state, priority, tokens, cost, started."),
            LIMIT,
            Parameter("all", "Archived ones, too.", "boolean"),
        ),
    ),
    Route(
        "GET",
        "/workflows/{id}",
        READ,
        "One workflow with its tasks and agents.",
        lambda asking, call: asking.get(call.path["id"]),
        "perles show ID --json",
    ),
    Route(
        "GET",
        "/workflows/{id}/summary",
        READ,
        "What a workflow came to.",
        lambda asking, call: asking.summary(call.path["id"]),
        "perles show ID --summary --json",
    ),
    Route(
        "GET",
        "/workflows/{id}/agents",
        READ,
        "The agents of a workflow, with tokens and cost.",
        lambda asking, call: asking.agents(call.path["id"]),
        "perles agents ID --json",
    ),
    Route(
        "GET",
        "/workflows/{id}/tasks",
        READ,
        "The tasks of a workflow, each in full.",
        lambda asking, call: asking.tasks(call.path["id"]),
        "perles tasks ID --json",
    ),
    Route(
        "GET",
        "/workflows/{id}/artifacts",
        READ,
        "Files that tasks left.",
        lambda asking, call: asking.artifacts(call.path["id"], task=call.query.get("task")),
        "perles artifacts ID --json",
        (Parameter("task", "Only those of this task."),),
    ),
    Route(
        "GET",
        "/workflows/{id}/channels",
        READ,
        "The channels of a workflow.",
        lambda asking, call: asking.channels(call.path["id"]),
        "an array of channels with their unread posts",
    ),
    Route(
        "GET",
        "/workflows/{id}/posts",
        READ,
        "Posts of a workflow, in order: the newest, or those between two ids.",
        posts,
        "perles posts ID --json",
        (
            Parameter("channel", "Only this channel."),
            Parameter("thread", "Only the thread of this post.", "integer"),
            Parameter("after", "Only posts after this id.", "integer"),
            Parameter("before", "Only posts before this id.", "integer"),
            Parameter("limit", "Return at most N items (default 50).", "integer", 1, MAX_EVENTS),
        ),
    ),
    Route(
        "GET",
        "/workflows/{id}/questions",
        READ,
        "Questions of the workflow's agents.",
        lambda asking, call: asking.questions(
            call.path["id"], everything=call.query.get("all", False)
        ),
        "perles questions ID --json",
        (ALL,),
    ),
    Route(
        "GET",
        "/workflows/{id}/diff",
        READ,
        "What a workflow with a worktree changed; a patch over 2 MiB is cut.",
        diff,
        "perles diff ID --json",
        (
            Parameter("path", "Only below this path."),
            Parameter("task", "Only the commits of this task."),
            Parameter("stat", "Without the patch.", "boolean"),
        ),
    ),
    Route(
        "GET",
        "/workflows/{id}/doctor",
        READ,
        "The problems of a workflow, with advice.",
        lambda asking, call: [one.as_json() for one in asking.doctor(call.path["id"])],
        "perles doctor ID --json",
    ),
)
