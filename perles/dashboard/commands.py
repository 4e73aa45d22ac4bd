"""Orders that begin with a slash in the chat; what is not one is a message."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard import actions
from perles.dashboard.model import Detail, Effect, Notice, Result, State, View

_KEYS = {"/pause": "p", "/resume": "s", "/start": "s"}


def order(state: State, detail: Detail, text: str, view: View) -> Result | None:
    """What an order does; None for a text that is none."""
    words = text.split()
    verb = words[0]
    if verb in _KEYS and len(words) == 1:
        return actions.press(state, _KEYS[verb], view)
    if verb == "/stop" and len(words) == 1:
        return actions.press(state, "x", view)
    if verb in ("/stop", "/retire", "/replace"):
        return _on_agent(state, detail, verb, words[1:])
    if verb == "/spawn":
        return _agent_effect(state, detail, "spawn", None, "")
    return None


def _on_agent(state: State, detail: Detail, verb: str, words: list[str]) -> Result:
    if not words:
        return replace(state, notice=Notice(f"{verb} needs the name of an agent", "warn")), ()
    agent, rest = words[0], " ".join(words[1:])
    if verb == "/retire" and agent == "coordinator":
        notice = Notice("the coordinator cannot be retired; /replace coordinator", "warn")
        return replace(state, notice=notice), ()
    return _agent_effect(state, detail, f"{verb[1:]}_agent", agent, rest)


def _agent_effect(
    state: State, detail: Detail, method: str, agent: str | None, rest: str
) -> Result:
    args = {"id": detail.workflow_id, "method": method, "agent": agent, "reason": rest}
    return replace(state, notice=Notice(f"{method.replace('_', ' ')} …")), (Effect("agent", args),)
