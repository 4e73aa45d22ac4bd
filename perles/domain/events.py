"""Event types, and how large an event may be.

An event is a fact that happened. Its payload is a JSON object that carries its
version as `v`; texts in it are bounded here, before they reach the journal.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from perles.domain.nearest import nearest
from perles.domain.states import ALL_RULES

PAYLOAD_VERSION: Final = 1
MAX_TEXT: Final = 16 * 1024
"""Characters of one text in a payload. What is longer is cut, and says so."""

ROLES: Final = ("coordinator", "worker", "observer")

_EDGE_TYPES: Final = {
    edge.event.format(role=role) for rules in ALL_RULES for edge in rules.edges for role in ROLES
}
_OTHER_TYPES: Final = {
    *(f"{role}.{what}" for role in ROLES for what in ("ready", "output", "incoming")),
    "coordinator.replaced",
    "workflow.created",
    "workflow.queued",
    "workflow.archived",
    "workflow.ending",
    "workflow.merged",
    "workflow.rebased",
    "workflow.pull_request",
    "workflow.changed",
    "turn.queued",
    "turn.allowance_used_up",
    "turn.left_out",
    "workflow.retried",
    "agent.usage",
    "agent.cost_differs",
    "agent.offline",
    "agent.rate_limited",
    "agent.reminded",
    "agent.silent",
    "agent.context_exhausted",
    "provider.near_limit",
    "provider.probed",
    "provider.resumed",
    "resource.reset",
    "task.created",
    "task.fanned_out",
    "task.dropped",
    "task.changed",
    "task.reported",
    "task.serving",
    "task.service_ended",
    "task.check_passed",
    "task.check_failed",
    "worker.accounted",
    "task.receipt",
    "worker.blocked",
    "fabric.posted",
    "fabric.acked",
    "fabric.subscribed",
    "fabric.attached",
    "user.notification",
    "question.asked",
    "health.degraded",
    "health.recovered",
    "health.stuck",
    "recovery.attempted",
    "recovery.succeeded",
    "recovery.failed",
    "recovery.exhausted",
    "resource.lease_granted",
    "resource.lease_released",
    "resource.exhausted",
    "resource.budget_warning",
    "resource.budget_exhausted",
    "engine.started",
    "engine.stopped",
    "engine.adopted",
    "engine.reconciled",
    "engine.reconfigured",
    "engine.clock_set",
    "node.joined",
    "node.drained",
    "cluster.removed",
    "agent.moved",
    "work.returned",
    "work.conflict",
    "work.late",
    "notify.failed",
    "security.rejected",
    "token.created",
    "token.revoked",
}
EVENT_TYPES: Final = frozenset(_EDGE_TYPES | _OTHER_TYPES)


def fits(type: str, glob: str) -> bool:
    """Whether a type fits a glob as SQLite reads it: `[^…]` is what fnmatch writes `[!…]`."""
    return fnmatchcase(type, glob.replace("[^", "[!"))


def misses(glob: str) -> str | None:
    """Why no event can fit this glob of types, in words; None where one can.

    Nothing would come of it, and following it would wait for ever.
    """
    if any(fits(type, glob) for type in EVENT_TYPES):
        return None
    families = ", ".join(sorted({f"{type.partition('.')[0]}.*" for type in EVENT_TYPES}))
    return (
        f"no event has the type {glob!r}{nearest(glob, EVENT_TYPES) or f'; known are {families}'}"
    )


def bounded(payload: Mapping[str, Any]) -> dict[str, Any]:
    """`payload` with its version, and with every top-level text cut to `MAX_TEXT` characters.

    A cut text ends in `… [cut, N characters]`.
    """
    result: dict[str, Any] = {"v": PAYLOAD_VERSION}
    for key, value in payload.items():
        if isinstance(value, str) and len(value) > MAX_TEXT:
            value = f"{value[:MAX_TEXT]}… [cut, {len(value)} characters]"
        result[key] = value
    return result
