"""What a workflow came to: facts first, then what its agents told. By the driver alone."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from perles.domain.errors import NotFoundError
from perles.store.reads.questions import questions

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

Json = dict[str, Any]

WHOLE: Final = "workflow"
"""The task of an account that is of all."""
_INNER: Final = ("implementer_id", "looked")
MAX_FILES: Final = 1000
"""Files of the commits that are named."""

_WORKFLOW: Final = "SELECT * FROM workflows WHERE id = ?"
_AGENTS: Final = """
SELECT id, name, role, agent_type, provider, model, status, cost_usd, tokens_in, tokens_out,
    tokens_cached FROM agents WHERE workflow_id = ? ORDER BY id"""
_TURNS: Final = "SELECT agent_id, status, started_at, ended_at FROM turns WHERE workflow_id = ?"
_TASKS: Final = "SELECT * FROM tasks WHERE workflow_id = ? ORDER BY id"
_VERDICTS: Final = (
    "SELECT c.author, count(*) AS verdicts FROM task_comments c JOIN tasks t ON t.id = c.task_id "
    "WHERE t.workflow_id = ? AND c.kind IN ('approved', 'denied') GROUP BY c.author"
)
_REVIEWS: Final = (
    "SELECT c.task_id, count(*) AS reviews, count(*) FILTER (WHERE c.kind = 'denied') AS denied "
    "FROM task_comments c JOIN tasks t ON t.id = c.task_id "
    "WHERE t.workflow_id = ? AND c.kind IN ('approved', 'denied') GROUP BY c.task_id"
)
_ACCOUNTS: Final = (
    "SELECT payload, created_at FROM events WHERE workflow_id = ? AND type = 'worker.accounted' "
    "ORDER BY seq"
)


def summary(connection: Connection | None, workflow_id: str) -> Json:
    """A workflow's facts and its agents' words, as `show --summary --json` has them."""
    row = None if connection is None else connection.execute(_WORKFLOW, (workflow_id,)).fetchone()
    if connection is None or row is None:
        raise NotFoundError("workflow", workflow_id)
    reviews = {one[0]: (one[1], one[2]) for one in connection.execute(_REVIEWS, (workflow_id,))}
    tasks = [
        _task(one, *reviews.get(one["id"], (0, 0)))
        for one in connection.execute(_TASKS, (workflow_id,))
    ]
    verdicts = {one[0]: one[1] for one in connection.execute(_VERDICTS, (workflow_id,))}
    turns: dict[int, list[Row]] = {}
    for one in connection.execute(_TURNS, (workflow_id,)):
        turns.setdefault(one["agent_id"], []).append(one)
    agents = [
        _agent(one, tasks, verdicts.get(one["name"], 0), turns.get(one["id"], []))
        for one in connection.execute(_AGENTS, (workflow_id,))
    ]
    return {
        "id": row["id"],
        "name": row["name"],
        "state": row["state"],
        "reason": row["reason"],
        "goal": row["goal"],
        "work_dir": row["work_dir"],
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "duration_s": _seconds(row["started_at"], row["ended_at"] or row["paused_at"]),
        "tokens_used": row["tokens_used"],
        "cost_usd": row["cost_usd"],
        "turns": sum(agent["turns"] for agent in agents),
        "review_rounds": sum(verdicts.values()),
        "denied": sum(denied for _, denied in reviews.values()),
        "task_counts": _counts(tasks),
        "commits": _commits(tasks),
        "files": _files(tasks),
        "commits_known": any(task["looked"] for task in tasks),
        "agents": agents,
        "tasks": [
            {name: value for name, value in task.items() if name not in _INNER} for task in tasks
        ],
        "questions": [
            {key: one[key] for key in ("question", "asked_by", "task", "text", "answer", "status")}
            for one in questions(connection, workflow_id, everything=True)
        ],
        "accounts": _accounts(connection, workflow_id),
    }


def _agent(row: Row, tasks: list[Json], verdicts: int, turns: list[Row]) -> Json:
    own = [task for task in tasks if task["implementer_id"] == row["id"]]
    commits = [commit["id"] for task in own for commit in task["commits"]]
    return {
        "name": row["name"],
        "role": row["role"],
        "agent_type": row["agent_type"] or None,
        "provider": row["provider"],
        "model": row["model"],
        "status": row["status"],
        "turns": len(turns),
        "failed_turns": sum(turn["status"] in ("failed", "timed_out") for turn in turns),
        "busy_s": round(sum(_seconds(*turn[2:]) or 0.0 for turn in turns), 1),
        "tokens_in": row["tokens_in"],
        "tokens_out": row["tokens_out"],
        "tokens_cached": row["tokens_cached"],
        "cost_usd": row["cost_usd"],
        "tasks": [task["key"] for task in own],
        "exit_codes": {t["key"]: t["exit_code"] for t in own if t["exit_code"] is not None},
        "reviews": verdicts,
        "commits": commits,
    }


def _task(row: Row, reviews: int, denied: int) -> Json:
    """`denials` counts since the task was given to its worker, `denied` from its beginning on."""
    outputs = json.loads(row["outputs"])
    receipt = json.loads(row["receipt"])
    return {
        "key": row["key"],
        "name": row["title"],
        "status": row["status"],
        "assignee": row["assignee"],
        "implementer_id": row["implementer_id"],
        "looked": row["base_commit"] is not None,
        "attempt": row["attempt"],
        "exit_code": row["exit_code"],
        "denials": row["denials"],
        "reviews": reviews,
        "denied": denied,
        "failure": row["failure"],
        "report": outputs.get("summary"),
        "branch": receipt.get("branch"),
        "commits": receipt.get("commits", []),
        "duration_s": _seconds(row["started_at"], row["ended_at"]),
    }


def _counts(tasks: list[Json]) -> Json:
    found: Json = {"total": len(tasks)}
    for task in tasks:
        found[task["status"]] = found.get(task["status"], 0) + 1
    return found


def _commits(tasks: list[Json]) -> list[Json]:
    """The commits of all receipts, each once: workers share a folder, and so do receipts."""
    return list({commit["id"]: commit for task in tasks for commit in task["commits"]}.values())


def _files(tasks: list[Json]) -> list[str]:
    """The files of all commits, each once."""
    commits = [commit for task in tasks for commit in task["commits"]]
    files = [file for commit in commits for file in commit.get("files", ())]
    return list(dict.fromkeys(files))[:MAX_FILES]


def _accounts(connection: Connection, workflow_id: str) -> list[Json]:
    """The latest of each worker of each task; that of all comes first."""
    latest: dict[tuple[str, str], Json] = {}
    for row in connection.execute(_ACCOUNTS, (workflow_id,)):
        payload = json.loads(row["payload"])
        payload.pop("v", None)
        key = (payload["worker"], payload["task_id"])
        latest.pop(key, None)
        latest[key] = {**payload, "at": row["created_at"]}
    return sorted(latest.values(), key=lambda one: one["task_id"] != WHOLE)


def _seconds(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    took = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return round(took.total_seconds(), 1)
