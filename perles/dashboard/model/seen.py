"""What came since somebody last looked, on this dashboard: rows and tabs have a mark for it."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.model.state import Inside, State, View

MARK = "•"


def is_new(state: State, view: View, workflow_id: str) -> bool:
    """Whether a workflow wants attention that nobody looked at here."""
    return view.attention.newest.get(workflow_id, 0) > state.seen.get(workflow_id, 0)


def looked_at(state: State, view: View, *workflow_ids: str) -> State:
    """The state that knows what these workflows want."""
    newest = view.attention.newest
    found = {id: newest[id] for id in workflow_ids if newest.get(id, 0) > state.seen.get(id, 0)}
    return replace(state, seen={**state.seen, **found}) if found else state


def on_screen(state: State, view: View) -> State:
    """The state that knows what its screen shows: the inside of a workflow, or the inbox."""
    if state.screen == "inbox":
        return looked_at(state, view, *view.attention.newest)
    if state.detail is None or view.inside is None:
        return state
    return _heard(looked_at(state, view, state.detail.workflow_id), view.inside)


def new_tabs(state: State, inside: Inside) -> set[str]:
    """The agents that said something since their tabs were looked at; channels with new posts."""
    id = inside.row["id"]
    unread = any(
        one["unread"] and state.read.get((id, one["channel"]), 0) < one["last_post"]
        for one in inside.channels
    )
    return ({"channels"} if unread else set()) | {
        agent["name"]
        for agent in inside.agents
        if (id, agent["name"]) in state.heard
        and state.heard[id, agent["name"]] != agent["last_activity_at"]
    }


def _heard(state: State, inside: Inside) -> State:
    """The tab that is shown is heard; what an agent said before its tab is known counts as old."""
    assert state.detail is not None
    id = inside.row["id"]
    if id != state.detail.workflow_id:
        return state
    found = {}
    for agent in inside.agents:
        key, at = (id, agent["name"]), agent["last_activity_at"]
        shown = agent["name"] == state.detail.tab and not state.detail.up
        if key not in state.heard or (shown and state.heard[key] != at):
            found[key] = at
    return replace(state, heard={**state.heard, **found}) if found else state
