"""Routes that only read."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from perles.controlplane import held_reads
from perles.controlplane.quick import MAX_HISTORY_HOURS
from perles.domain.errors import UsageError
from perles.domain.tokens import ADMIN, READ
from perles.domain.workflow_filter import filter_of
from perles.http.route import MAX_LIST, Call, Parameter, Route
from perles.http.token_facade import Asking
from perles.http.wire import Response, as_json

MAX_EVENTS: Final = 1000
MAX_PATCH: Final = 2 * 1024 * 1024
"""Bytes of a patch that are shown; `perles diff` shows all."""
SPOKEN: Final = "*.output,*.incoming,agent.reminded,turn.*"
"""Types of what an agent was told, said and did."""


def workflows(asking: Asking, call: Call) -> Response:
    """The list; a header tells how many more there are."""
    given = call.given("template", "priority", "name", "limit", "sort")
    text, typing = call.query.get("filter", ""), call.query.get("typing", False)
    labels = [text.partition("=") for text in _words(call.query.get("label", ""))]
    if any(not equals for _, equals, _ in labels):
        raise UsageError("cannot filter by label: write it like team=red")
    wanted = filter_of(
        states=_words(call.query.get("state", "")),
        labels=[(key, value) for key, _, value in labels],
        everything=call.query.get("all", False),
        filter="" if typing else text,
        **given,
    )._replace(filter=text)
    found = asking.registry.list(wanted)
    answer = as_json(found.rows)
    return answer._replace(headers=(*answer.headers, ("Perles-More", str(found.more))))


def overview(asking: Asking, _call: Call) -> dict[str, Any]:
    """What a first screen tells: the engine, counts, what waits."""
    with held_reads.opened(asking.database_path) as connection:
        counts = {} if connection is None else held_reads.dashboard.counts_by_state(connection)
        last = held_reads.last_seq(connection)
    return {
        "engine": asking.engine_status(),
        "workflows": counts,
        "inbox": len(asking.inbox()),
        "seq": last,
    }


def whoami(asking: Asking, _call: Call) -> dict[str, Any]:
    """The token's name and role."""
    return {"name": asking.holder.name, "role": asking.holder.role}


def events(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """The newest events, or those after a seq, in order."""
    since, before = call.query.get("since"), call.query.get("before")
    page = asking.read_events(
        call.path.get("id", call.query.get("workflow")),
        types=_words(call.query.get("types", "")),
        since=since or 0,
        before=before,
        limit=call.query.get("limit", 100),
        newest=since is None,
    )
    return page.events


def transcript(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """A window of what agents were told, said and did."""
    page = asking.read_events(
        call.path["id"],
        types=(SPOKEN,),
        before=call.query.get("before"),
        agent=call.query.get("agent"),
        limit=call.query.get("limit", 100),
        newest=True,
    )
    return page.events


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


def posts(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """Posts of a workflow."""
    given = call.given("channel", "thread", "after", "before", "limit")
    return asking.posts(call.path["id"], **given)


def resource_history(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """Use of the limits by hour, the oldest first."""
    now = datetime.now(UTC)
    return asking.resource_history(now - timedelta(hours=call.query.get("hours", 24) - 1), now)


def templates(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """What can be created in a folder."""
    folder = Path(call.query.get("work_dir", asking.paths.root))
    return [
        {
            "key": one.key,
            "source": one.source,
            "path": str(one.path),
            "name": one.name,
            "description": one.description,
            "version": one.version,
            "labels": list(one.labels),
            "arguments": [asdict(argument) for argument in one.arguments],
            "error": one.error,
        }
        for one in asking.templates(folder).list()
    ]


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


_LIMIT: Final = Parameter("limit", "Return at most N items.", "integer", 1, MAX_LIST)
_EVENTS: Final = (
    Parameter("types", "Globs of types, separated by commas."),
    Parameter("since", "Only events after this seq, oldest first.", "integer"),
    Parameter("before", "Only those before this seq.", "integer"),
    Parameter("limit", "Return at most N items (default 100).", "integer", 1, MAX_EVENTS),
)
_ALL: Final = Parameter("all", "Also include answered and closed ones.", "boolean")

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
            _LIMIT,
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
        "/workflows/{id}/events",
        READ,
        "Events of a workflow in order: the newest, or those after a seq.",
        events,
        "perles events ID --json, as an array",
        _EVENTS,
    ),
    Route(
        "GET",
        "/workflows/{id}/transcript",
        READ,
        "The transcript of the agents: the newest entries, or those before a seq.",
        transcript,
        "perles events ID --json, as an array",
        (Parameter("agent", "Only this agent."), *_EVENTS[2:]),
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
        (_ALL,),
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
    Route("GET", "/whoami", READ, "Whose token this is.", whoami, "{name, role}"),
    Route(
        "GET",
        "/overview",
        READ,
        "The engine, workflows by state, what waits for a person, the newest seq.",
        overview,
        "{engine, workflows, inbox, seq}",
    ),
    Route(
        "GET",
        "/events",
        READ,
        "Events of all workflows in order: the newest, or those after a seq.",
        events,
        "perles events --json, as an array",
        (Parameter("workflow", "Only this workflow."), *_EVENTS),
    ),
    Route(
        "GET",
        "/agents",
        READ,
        "The agents of all workflows that run or are paused.",
        lambda asking, _call: asking.agents(),
        "perles agents --json",
    ),
    Route(
        "GET",
        "/tasks",
        READ,
        "Tasks of all workflows.",
        lambda asking, call: asking.tasks(waiting=call.query.get("waiting", False)),
        "perles tasks --json",
        (Parameter("waiting", "Only tasks that wait for a person.", "boolean"),),
    ),
    Route(
        "GET",
        "/questions",
        READ,
        "Questions of agents that wait for a person.",
        lambda asking, call: asking.questions(everything=call.query.get("all", False)),
        "perles questions --json",
        (_ALL,),
    ),
    Route(
        "GET",
        "/inbox",
        READ,
        "Everything that waits for a person, in all workflows.",
        lambda asking, call: asking.inbox(everything=call.query.get("all", False)),
        "perles inbox --json",
        (_ALL,),
    ),
    Route(
        "GET",
        "/resources",
        READ,
        "Limits, their use, their holders, and the waiting line.",
        lambda asking, _call: asking.resources(),
        "perles resources --json",
    ),
    Route(
        "GET",
        "/resources/history",
        READ,
        "Peak and average use of each limit by hour.",
        resource_history,
        "perles resources history --json",
        (Parameter("hours", "Hours to go back (default 24).", "integer", 1, MAX_HISTORY_HOURS),),
    ),
    Route(
        "GET",
        "/nodes",
        READ,
        "The machines of the cluster, with their state and their turns.",
        lambda asking, _call: asking.nodes(),
        "perles nodes --json",
    ),
    Route(
        "GET",
        "/providers",
        READ,
        "Providers, with their features and remaining quota.",
        lambda asking, _call: asking.providers(),
        "perles providers list --json",
    ),
    Route(
        "GET",
        "/sessions",
        READ,
        "The newest workflows with a session folder.",
        lambda asking, call: asking.sessions(call.query.get("limit", 100)),
        "perles sessions list --json",
        (_LIMIT,),
    ),
    Route(
        "GET",
        "/worktrees",
        READ,
        "Worktrees of workflows.",
        lambda asking, _call: asking.worktrees(),
        "perles worktrees list --json",
    ),
    Route(
        "GET",
        "/overlap",
        READ,
        "Files that several unmerged branches changed.",
        lambda asking, _call: asking.overlap(),
        "perles overlap --json",
    ),
    Route(
        "GET",
        "/templates",
        READ,
        "Templates that can be used in a folder.",
        templates,
        "perles templates list --json",
        (
            Parameter(
                "work_dir",
                "The folder; without it, only the templates that are available everywhere.",
            ),
        ),
    ),
    Route(
        "GET",
        "/engine",
        READ,
        "The running engine, or null.",
        lambda asking, _call: asking.engine_status(),
        "perles engine status --json",
    ),
    Route(
        "GET",
        "/doctor",
        ADMIN,
        "The problems of the machine and the home folder, with advice.",
        lambda asking, _call: [one.as_json() for one in asking.doctor()],
        "perles doctor --json",
    ),
    Route(
        "GET",
        "/stats",
        ADMIN,
        "Sizes and counts of the home folder.",
        lambda asking, _call: asking.stats(),
        "perles maintenance stats --json",
    ),
    Route(
        "GET",
        "/tokens",
        ADMIN,
        "Tokens, without their secrets.",
        lambda asking, _call: asking.tokens(),
        "perles token list --json",
    ),
)
