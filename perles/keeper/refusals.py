"""Who was turned away: counted, and told once a minute for each reason."""

import time

MINUTE = 60.0


class Refusals:
    """Counts by workflow, status and reason."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int, str], int] = {}
        self._told: dict[tuple[str, int, str], float] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, workflow: str, status: int, why: str) -> None:
        """One more."""
        key = (workflow, status, why)
        self._counts[key] = self._counts.get(key, 0) + 1

    def due(self) -> list[tuple[str, int, str, int]]:
        """What is to be told now, with how often it was; it counts as told."""
        now = time.monotonic()
        found = []
        for key, count in list(self._counts.items()):
            if now - self._told.get(key, now - MINUTE) >= MINUTE:
                found.append((*key, count))
                self._told[key] = now
                del self._counts[key]
        return found

    def forget(self, workflow: str) -> None:
        """The workflow has ended."""
        for table in (self._counts, self._told):
            for key in [key for key in table if key[0] == workflow]:
                del table[key]
