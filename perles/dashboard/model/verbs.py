"""The verbs on workflows: when each can act, and why it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perles.dashboard.model.state import Notice, View
from perles.domain.states import RETRIABLE, WORKFLOW

KEYS: Final = {"s": "start", "p": "pause", "x": "stop", "r": "retry", "a": "archive"}


def states_for(verb: str) -> frozenset[str]:
    """The states of a workflow in which the key of this verb acts on it."""
    from perles.domain.commands import COMMANDS  # not before a key needs it: start-up is a feature

    if verb == "retry":
        return frozenset(RETRIABLE)
    if verb == "start":  # the same key goes on with a paused one
        return COMMANDS["start"].states | COMMANDS["resume"].states
    return COMMANDS[verb].states


WHY_NOT: Final = {
    ("start", "running"): "it runs already",
    ("pause", "paused"): "it is paused already; s goes on with it",
    ("pause", "pending"): "it has not started; s starts it",
    ("retry", "completed"): "it completed; n makes a new one",
    ("archive", "running"): "it runs; x stops it first",
    ("archive", "paused"): "it is paused; x stops it first",
    ("archive", "pending"): "it waits; x stops it first",
}


def already_ended(ids: Sequence[str], view: View) -> Notice | None:
    """What to say where all of these ended while the dialog was open; None where some live."""
    states = [view.rows[i]["state"] for i in ids if i in view.rows]
    if len(states) == len(ids) and states and all(s in WORKFLOW.terminal for s in states):
        what = f"{ids[0]} is {states[0]}" if len(ids) == 1 else "all of them have ended"
        return Notice(f"nothing to stop: {what} by now", "warn")
    return None
