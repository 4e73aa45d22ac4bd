"""What fits the name that one goes to: read from the database, the keys and the settings."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from perles.controlplane.held_reads import last_seq, names
from perles.dashboard.model.jump import KINDS, MOST, Target, commands
from perles.dashboard.model.state import TABS_AFTER, State
from perles.domain.channels import CHANNELS
from perles.domain.fuzzy import like, rank

if TYPE_CHECKING:
    from perles.controlplane.held_reads import Connection, Row


class Names:
    """The targets that were found last, for as long as nothing happened and nothing was typed."""

    def __init__(self) -> None:
        self._of: object = None
        self._known: tuple[Target, ...] = ()

    def look(self, connection: Connection, state: State, here: str | None) -> tuple[Target, ...]:
        """What fits now; nothing where nobody asks."""
        if state.jump is None:
            return ()
        of = state.jump.text.text, state.screen, here, last_seq(connection)
        if of != self._of:
            self._of, self._known = of, targets(connection, of[0], of[1], here)
        return self._known


def targets(connection: Connection, text: str, screen: str, here: str | None) -> tuple[Target, ...]:
    """The targets whose names fit a text, the best first; those in hand before all others."""
    wanted = text.strip()
    found = [
        (not row["here"], Target(row["kind"], row["name"], row["workflow_id"], _about(row)))
        for row in names.named(connection, like(wanted), here)
    ]
    if screen == "detail" and here is not None:
        found += [(False, Target("tab", tab, here, "of this workflow")) for tab in TABS_AFTER]
        found += [(False, Target("channel", name, here, told)) for name, told in CHANNELS.items()]
    found += [(True, one) for one in (*commands(screen), *_settings())]
    ranked = []
    for elsewhere, target in found:
        fits = rank(wanted, target.name)
        if fits is None and target.kind == "workflow":
            fits = rank(wanted, target.workflow_id)
        if fits is not None:
            at = KINDS.index(target.kind)
            ranked.append((fits[0] if wanted else 0, elsewhere, at, fits[1], target))
    ranked.sort(key=lambda one: one[:4])
    once = {one[4][:3]: one[4] for one in reversed(ranked)}  # a channel's row, and its name
    return tuple(reversed(once.values()))[:MOST]


def _about(row: Row) -> str:
    return str(row["state"]) if row["kind"] == "workflow" else f"in {row['workflow']}"


@cache
def _settings() -> tuple[Target, ...]:
    from perles.config.keys import OPTIONS

    return tuple(Target("setting", one.key, about=one.help) for one in OPTIONS.values())
