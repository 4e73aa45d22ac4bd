"""Orders that begin with a slash in the chat; what is not one is a message."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.model.slash import KEYS, ON_AGENTS
from perles.dashboard.model.state import Effect, Notice, Result, State, View
from perles.dashboard.update import verbs


def order(state: State, text: str, view: View) -> Result | None:
    """What an order does; None for a text that is none."""
    words = text.split()
    if words[0] in KEYS and len(words) == 1:
        return verbs.press(state, KEYS[words[0]], view)
    if words[0] in ON_AGENTS:
        return _on_agent(state, words[0][1:], words[1:])
    return None


def _on_agent(state: State, verb: str, words: list[str]) -> Result:
    """`/spawn [provider]`; `/stop`, `/resume`, `/retire` and `/replace` with an agent and why."""
    assert state.detail is not None
    force = "--force" in words
    words = [word for word in words if word != "--force"]
    if verb != "spawn" and not words:
        usage = f"/{verb} which agent? /{verb} worker-1 [--force] [why]"
        return replace(state, notice=Notice(usage, "warn")), ()
    args: dict[str, object] = {"id": state.detail.workflow_id, "verb": verb, "force": force}
    if verb == "spawn":
        args["provider"] = words[0] if words else None
    else:
        args |= {"name": words[0], "reason": " ".join(words[1:])}
    notice = Notice(f"{verb} {words[0] if words else 'a worker'} …")
    return replace(state, notice=notice), (Effect("agent", args),)
