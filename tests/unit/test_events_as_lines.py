"""What `perles events` prints of a payload: words and JSON, nothing of Python's."""

from typing import Any

import pytest

from perles.cli.events import line_of


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"after": ["lint", "unit"]}, "after=lint,unit"),
        ({"after": [], "by": {}, "note": None, "attempt": 0}, "attempt=0"),
        ({"by": {"uid": 0, "tty": None}}, 'by={"uid": 0, "tty": null}'),
        ({"from": "ready", "to": "done", "text": "all is well"}, "ready → done all is well"),
    ],
)
def test_a_payload_in_a_line(payload: dict[str, Any], said: str) -> None:
    event = {
        "seq": 1,
        "at": "2026-01-31T12:00:00Z",
        "workflow_id": "wf-cccccccc",
        "type": "task.created",
        "agent": None,
        "task": None,
        "payload": payload,
    }

    assert line_of(event).endswith(f" {said}")
