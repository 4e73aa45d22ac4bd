"""The configuration while the engine runs: taken up again, and told in the database.

Nothing that runs is ended by a lower limit: no more is granted until enough has
ended by itself.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final

from perles.config.cluster import Cluster
from perles.config.model import Config, ResourcePolicy
from perles.config.provider_settings import secrets_handed_out
from perles.domain.errors import UsageError
from perles.engine.context import Context, Reloaded, log
from perles.engine.resources import leases
from perles.store.events import journal
from perles.store.expressions import bindparam, select, update
from perles.store.schema.resources import ResourceLimit
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx

RESTATE_WAITING: Final = Sql(
    update(Workflow)
    .where(
        Workflow.state.in_(["pending", "paused"]),
        Workflow.start_requested_at.is_not(None),
        Workflow.reason.like("waiting: % workflows run"),
    )
    .values(reason=bindparam("reason_"), updated_at=bindparam("now_"))
)
LIMIT_ROWS: Final = Sql(select(ResourceLimit))
LIVE_CLUSTER_KEYS: Final = ("max_workers",)
"""Settings of a cluster that hold at once; the connection and the leases have the others."""
UNTOLD: Final = "…"
"""Stands for a value that may hold a secret."""


async def reload(context: Context, load: Callable[[], Config]) -> Reloaded:
    """Take up what `load` gives. Raises `UsageError`; the old configuration holds on then."""
    try:
        new = load()
    except UsageError as error:
        log.error("the configuration stays unchanged: %s", error)
        raise
    old = context.config
    wanted, new = new, _running(old, new)
    changes = {
        **_changes("resource_policy", old.resource_policy, new.resource_policy),
        **_changes("health_policy", old.health_policy, new.health_policy),
        **_changes("timeouts", old.timeouts, new.timeouts),
        **_changes("limits", old.limits, new.limits),
        **_changes("retention", old.retention, new.retention),
        **_changes("worktree_space", old.worktree_space, new.worktree_space),
        **_changes("cluster", old.cluster, new.cluster),
        **_changes("notify", old.notify, new.notify, are_told=False),
    }
    if old.providers != new.providers:
        changes["providers"] = [UNTOLD, UNTOLD]
    at_restart = _left(new, wanted)
    await context.writer.write(lambda tx: _take_up(tx, new.resource_policy, changes))
    context.config = new
    context.providers.clear()  # each is set up by the configuration
    context.kept.clear()
    hide_secrets(context)
    log.info("took up the configuration: %s", changes or "nothing changed")
    if at_restart:
        log.info("the next engine takes up: %s", ", ".join(at_restart))
    context.kick()
    return Reloaded(changes, at_restart)


def hide_secrets(context: Context) -> None:
    """Have no row hold what agents get from the engine's environment and configuration."""
    texts = secrets_handed_out(context.config.providers, context.environ)
    context.database.secrets.set_everywhere(texts)


def _running(old: Config, new: Config) -> Config:
    """The new configuration with what an engine keeps until it ends: where it serves, and nodes."""
    cluster = old.cluster
    if cluster and new.cluster:
        live = {name: getattr(new.cluster, name) for name in LIVE_CLUSTER_KEYS}
        cluster = replace(cluster, **live)
    return replace(new, cluster=cluster, http=old.http, database=old.database)


def _left(running: Config, wanted: Config) -> list[str]:
    """The keys in which what runs is not as wanted; `cluster` where there is one or is none."""
    found = []
    for section in ("cluster", "http", "database"):
        old, new = getattr(running, section), getattr(wanted, section)
        if isinstance(old, Cluster) and bool(old) != bool(new):
            found.append(section)
        else:
            found += _changes(section, old, new)
    return ["database" if key == "database.database" else key for key in found]


def _changes(
    section: str, old: object, new: object, *, are_told: bool = True
) -> dict[str, list[str]]:
    pairs = {
        f"{section}.{field.name}": (getattr(old, field.name), getattr(new, field.name))
        for field in fields(old)  # type: ignore[arg-type]  # both are dataclasses of one class
    }
    return {
        key: [str(was), str(now)] if are_told else [UNTOLD, UNTOLD]
        for key, (was, now) in pairs.items()
        if was != now
    }


def _take_up(tx: Tx, policy: ResourcePolicy, changes: dict[str, list[str]]) -> None:
    tell_limits(tx, policy)
    used = tx.value(leases.COUNT_LEASES, kind="workflow")
    reason = f"waiting: {used} of {policy.max_workflows_running} workflows run"
    tx.run(RESTATE_WAITING, reason_=reason, now_=tx.now)
    if changes:
        journal.append(tx, "engine.reconfigured", {"changes": changes})


def tell_limits(tx: Tx, policy: ResourcePolicy) -> None:
    """Write the limits where the view `resource_usage` and other processes see them."""
    limits = {
        "workflows": policy.max_workflows_running,
        "workers": policy.max_workers,
        "ai_calls": policy.max_ai_calls,
        "ports": policy.port_range_end - policy.port_range_start + 1,
        "tokens": policy.token_budget or None,
        "cost_usd": float(policy.cost_budget) or None,
    }
    known = {row["resource"] for row in tx.rows(LIMIT_ROWS)}
    for resource, value in limits.items():
        if resource in known:
            tx.update(ResourceLimit, resource, value=value)
        else:
            tx.insert(ResourceLimit, resource=resource, value=value)
