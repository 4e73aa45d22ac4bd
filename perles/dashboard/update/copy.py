"""Copying to the clipboard: an id, or what was said last."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perles.dashboard.model.state import Detail, Effect, Notice, Result, State, View

_SAID: Final = ("text", "notice", "message", "post", "answer", "incoming", "error")
MOST: Final = 50_000
"""Characters that are copied: terminals take no more than about 75,000 bytes."""


def workflow(state: State, workflow_id: str | None) -> Result:
    """Copy the id of a workflow."""
    if workflow_id is None:
        return replace(state, notice=Notice("nothing to copy: no workflow is selected")), ()
    return _copied(state, workflow_id, workflow_id)


def said(state: State, detail: Detail, view: View) -> Result:
    """Copy the match that one is at, else what was said last in the tab; else the id."""
    body = view.inside.body if view.inside is not None else ()
    records = [one for one in body if getattr(one, "kind", "") in _SAID and one.text]
    at = [one for one in records if detail.found is not None and one.key == detail.found.key]
    found = (at or records)[-1:]
    if not found:
        return workflow(state, detail.workflow_id)
    return _copied(state, str(found[0].text)[:MOST], f"what {found[0].who} said")


def _copied(state: State, text: str, what: str) -> Result:
    notice = Notice(f"copied {what} (OSC 52)")
    return replace(state, notice=notice), (Effect("copy", {"text": text}),)
