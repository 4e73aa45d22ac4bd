"""Routes that change what all workflows of a home folder share: nodes, holds, limits, tokens."""

from __future__ import annotations

from typing import Final

from perles.domain.errors import UsageError
from perles.domain.tokens import ADMIN
from perles.http import bodies
from perles.http.route import Call, Empty, Route
from perles.http.token_facade import Asking


def resume_provider(asking: Asking, call: Call) -> dict[str, str]:
    """Ask a provider again."""
    name = call.path["name"]
    return {"provider": name, "held_for": asking.resume_provider(name)}


def on_node(asking: Asking, call: Call) -> dict[str, str]:
    """Stop or allow new turns on a node."""
    name, verb = call.path["name"], call.path["verb"]
    verbs = {"drain": asking.drain_node, "resume": asking.resume_node}
    if verb not in verbs:
        raise UsageError(f"cannot {verb} a node: drain or resume it")
    return {"node": name, "state": verbs[verb](name)}


def revoke(asking: Asking, call: Call) -> dict[str, str]:
    """Take a token back."""
    asking.revoke_token(call.path["name"])
    return {"name": call.path["name"], "status": "revoked"}


ROUTES: Final = (
    Route(
        "POST",
        "/nodes/{name}/{verb}",
        ADMIN,
        "drain or resume a node.",
        on_node,
        "perles nodes drain --json",
        body=Empty,
    ),
    Route(
        "POST",
        "/providers/{name}/resume",
        ADMIN,
        "End the hold of a provider.",
        resume_provider,
        "perles providers resume --json",
        body=Empty,
    ),
    Route(
        "POST",
        "/resources/{resource}/reset",
        ADMIN,
        "Count tokens or cost_usd of all workflows together from 0 again.",
        lambda asking, call: {
            "resource": call.path["resource"],
            "was": asking.reset_total(call.path["resource"], call.body.reason),
        },
        "perles resources reset --json",
        body=bodies.NeededReason,
    ),
    Route(
        "POST",
        "/engine/reload",
        ADMIN,
        "Make the engine reload its configuration.",
        lambda asking, _call: asking.reload_config(),
        "perles config reload --json",
        body=Empty,
    ),
    Route(
        "DELETE",
        "/tokens/{name}",
        ADMIN,
        "Revoke a token. Requests with it are refused from then on, and its streams end.",
        revoke,
        "{name, status}",
    ),
)
