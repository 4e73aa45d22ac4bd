"""Routes that read what a home folder holds beside a single workflow."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from perles.controlplane import held_reads
from perles.controlplane.quick import MAX_HISTORY_HOURS
from perles.domain.tokens import ADMIN, READ
from perles.http.route import ALL, LIMIT, Call, Parameter, Route
from perles.http.token_facade import Asking


def overview(asking: Asking, _call: Call) -> dict[str, Any]:
    """What a first screen tells: the engine, counts, what waits."""
    with held_reads.opened(asking.database_path) as connection:
        counts = {} if connection is None else held_reads.dashboard.counts_by_state(connection)
        last = held_reads.last_seq(connection)
    return {
        "engine": asking.engine_status(),
        "workflows": counts,
        "inbox": len(asking.inbox()),
        "seq": last,
    }


def whoami(asking: Asking, _call: Call) -> dict[str, Any]:
    """The token's name and role."""
    return {"name": asking.holder.name, "role": asking.holder.role}


def resource_history(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """Use of the limits by hour, the oldest first."""
    now = datetime.now(UTC)
    return asking.resource_history(now - timedelta(hours=call.query.get("hours", 24) - 1), now)


def templates(asking: Asking, call: Call) -> list[dict[str, Any]]:
    """What can be created in a folder."""
    folder = Path(call.query.get("work_dir", asking.paths.root))
    return [
        {
            "key": one.key,
            "source": one.source,
            "path": str(one.path),
            "name": one.name,
            "description": one.description,
            "version": one.version,
            "labels": list(one.labels),
            "arguments": [asdict(argument) for argument in one.arguments],
            "error": one.error,
        }
        for one in asking.templates(folder).list()
    ]


ROUTES: Final = (
    Route("GET", "/whoami", READ, "Whose token this is.", whoami, "{name, role}"),
    Route(
        "GET",
        "/overview",
        READ,
        "The engine, workflows by state, what waits for a person, the newest seq.",
        overview,
        "{engine, workflows, inbox, seq}",
    ),
    Route(
        "GET",
        "/agents",
        READ,
        "The agents of all workflows that run or are paused.",
        lambda asking, _call: asking.agents(),
        "perles agents --json",
    ),
    Route(
        "GET",
        "/tasks",
        READ,
        "Tasks of all workflows.",
        lambda asking, call: asking.tasks(waiting=call.query.get("waiting", False)),
        "perles tasks --json",
        (Parameter("waiting", "Only tasks that wait for a person.", "boolean"),),
    ),
    Route(
        "GET",
        "/questions",
        READ,
        "Questions of agents that wait for a person.",
        lambda asking, call: asking.questions(everything=call.query.get("all", False)),
        "perles questions --json",
        (ALL,),
    ),
    Route(
        "GET",
        "/inbox",
        READ,
        "Everything that waits for a person, in all workflows.",
        lambda asking, call: asking.inbox(everything=call.query.get("all", False)),
        "perles inbox --json",
        (ALL,),
    ),
    Route(
        "GET",
        "/resources",
        READ,
        "Limits, their use, their holders, and the waiting line.",
        lambda asking, _call: asking.resources(),
        "perles resources --json",
    ),
    Route(
        "GET",
        "/resources/history",
        READ,
        "Peak and average use of each limit by hour.",
        resource_history,
        "perles resources history --json",
        (Parameter("hours", "Hours to go back (default 24).", "integer", 1, MAX_HISTORY_HOURS),),
    ),
    Route(
        "GET",
        "/nodes",
        READ,
        "The machines of the cluster, with their state and their turns.",
        lambda asking, _call: asking.nodes(),
        "perles nodes --json",
    ),
    Route(
        "GET",
        "/providers",
        READ,
        "Providers, with their features and remaining quota.",
        lambda asking, _call: asking.providers(),
        "perles providers list --json",
    ),
    Route(
        "GET",
        "/sessions",
        READ,
        "The newest workflows with a session folder.",
        lambda asking, call: asking.sessions(call.query.get("limit", 100)),
        "perles sessions list --json",
        (LIMIT,),
    ),
    Route(
        "GET",
        "/worktrees",
        READ,
        "Worktrees of workflows.",
        lambda asking, _call: asking.worktrees(),
        "perles worktrees list --json",
    ),
    Route(
        "GET",
        "/overlap",
        READ,
        "Files that several unmerged branches changed.",
        lambda asking, _call: asking.overlap(),
        "perles overlap --json",
    ),
    Route(
        "GET",
        "/templates",
        READ,
        "Templates that can be used in a folder.",
        templates,
        "perles templates list --json",
        (
            Parameter(
                "work_dir",
                "The folder; without it, only the templates that are available everywhere.",
            ),
        ),
    ),
    Route(
        "GET",
        "/engine",
        READ,
        "The running engine, or null.",
        lambda asking, _call: asking.engine_status(),
        "perles engine status --json",
    ),
    Route(
        "GET",
        "/doctor",
        ADMIN,
        "The problems of the machine and the home folder, with advice.",
        lambda asking, _call: [one.as_json() for one in asking.doctor()],
        "perles doctor --json",
    ),
    Route(
        "GET",
        "/stats",
        ADMIN,
        "Sizes and counts of the home folder.",
        lambda asking, _call: asking.stats(),
        "perles maintenance stats --json",
    ),
    Route(
        "GET",
        "/tokens",
        ADMIN,
        "Tokens, without their secrets.",
        lambda asking, _call: asking.tokens(),
        "perles token list --json",
    ),
)
