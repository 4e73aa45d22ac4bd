"""What a hub hands out of the events that it keeps, while its thread reads on."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perles.store.events.hub import Hub


class _Interrupted:
    """A lock after which, each time that it is given up, another thread has its turn first."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._lock, self._then = threading.Lock(), then

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._then()


def test_an_event_that_comes_meanwhile_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, journal = Hub(tmp_path / "perles.db"), [{"seq": number} for number in range(1, 7)]

    def read_on() -> None:
        if journal:
            event: dict[str, Any] = journal.pop(0)
            hub._kept.append(event)
            hub.newest = event["seq"]

    read_on()
    monkeypatch.setattr(hub, "_follows", True)
    monkeypatch.setattr(hub, "_lock", _Interrupted(read_on))

    seen, seq = [], 0
    while (recent := hub.after(seq)) is not None and recent.events:
        seen += [event["seq"] for event in recent.events]
        seq = recent.newest

    assert seen == [1, 2, 3, 4, 5, 6]
