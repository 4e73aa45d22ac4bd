"""Routes that read events: of one workflow or all, and what agents said."""

from __future__ import annotations

from typing import Any, Final

from perles.domain.tokens import READ
from perles.http.route import Call, Parameter, Route
from perles.http.token_facade import Asking

MAX_EVENTS: Final = 1000
SPOKEN: Final = "*.output,*.incoming,agent.reminded,turn.*"
"""Types of what an agent was told, said and did."""


def events(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """The newest events, or those after a seq, in order."""
    since, before = call.query.get("since"), call.query.get("before")
    page = asking.read_events(
        call.path.get("id", call.query.get("workflow")),
        types=call.words("types"),
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


_EVENTS: Final = (
    Parameter("types", "Globs of types, separated by commas."),
    Parameter("since", "Only events after this seq, oldest first.", "integer"),
    Parameter("before", "Only those before this seq.", "integer"),
    Parameter("limit", "Return at most N items (default 100).", "integer", 1, MAX_EVENTS),
)

ROUTES: Final = (
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
        "/events",
        READ,
        "Events of all workflows in order: the newest, or those after a seq.",
        events,
        "perles events --json, as an array",
        (Parameter("workflow", "Only this workflow."), *_EVENTS),
    ),
)
