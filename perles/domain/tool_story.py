"""Calls of our own tools in a line for people, and what they answered.

Texts of agents stand in the lines as they are: clean them before they are shown.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from perles.domain.patterns import lazy_pattern

Json = Mapping[str, Any]

MOST_NAMED: Final = 3
"""Things of a kind that are named."""
_GAP: Final = lazy_pattern(r"[\s,]*")
_LONGEST: Final = 200
"""Characters of one value in a line."""
_CALLS: Final[dict[str, str]] = {
    "assign_task": "{task_id} to {worker_id}",
    "assign_task_review": "{task_id} to {reviewer_id}",
    "assign_review_feedback": "{task_id} to {implementer_id}: {feedback}",
    "approve_commit": "of {implementer_id}",
    "create_task": "{key}: {title}",
    "update_task": "{task_id}",
    "mark_task_complete": "{task_id}",
    "mark_task_failed": "{task_id}: {reason}",
    "reopen_task": "{task_id}: {reason}",
    "get_task_status": "{task_id}",
    "replace_worker": "{worker_id}: {reason}",
    "retire_worker": "{worker_id}: {reason}",
    "stop_worker": "{worker_id}: {reason}",
    "send_to_worker": "{worker_id}: {message}",
    "notify_user": "{message}",
    "ask_user": "{question}",
    "signal_workflow_complete": "{status}: {summary}",
    "report_implementation_complete": "{summary}",
    "report_review_verdict": "{verdict}: {comments}",
    "report_blocked": "{reason}",
    "fabric_send": "#{channel}: {content}",
    "fabric_reply": "to {message_id}: {content}",
    "fabric_history": "#{channel}",
    "fabric_read_thread": "{message_id}",
    "fabric_subscribe": "#{channel} {mode}",
    "fabric_unsubscribe": "#{channel}",
    "fabric_attach": "{path} to {target_id}",
}
"""The summary of a call: its most telling arguments."""
_OTHERS: Final = frozenset(
    {"list_tasks", "query_worker_state", "spawn_worker", "signal_ready", "fabric_inbox"}
    | {"fabric_ack", "generate_accountability_summary", "post_accountability_summary"}
)
OURS: Final = frozenset(_CALLS) | _OTHERS
"""The tools that Perles gives to its agents."""


def call(name: str, given: str) -> str | None:
    """What a tool of ours was given (JSON), in a line; None for another tool, or an odd call."""
    form = _CALLS.get(name)
    arguments = _object(given)
    if form is None or arguments is None:
        return None
    if not any(arguments.get(key) for key in re.findall(r"\{(\w+)\}", form)):
        return None
    shown = form.format_map(dict.fromkeys(re.findall(r"\{(\w+)\}", form), "") | _flat(arguments))
    return " ".join(shown.split()).rstrip(": ")


def result(name: str, answer: str) -> str | None:
    """What a tool of ours answered (JSON), in a line; None for another tool, or a text.

    Of an answer that was cut the tasks and workers are told that stand in it whole.
    """
    if name not in OURS:
        return None
    if name in _LISTS:
        key, told = _LISTS[name]
        found = _items(answer, key)
        if found is not None:
            return told(*found)
    answered = _object(answer)
    if answered is None:
        return None
    if name == "get_task_status" and "status" in answered:
        return f"{answered.get('key', 'task')}: {_task(answered)}"
    told_of = [f"{_words(key)} {value}" for key, value in _flat(answered).items() if value != ""]
    return ", ".join(told_of) or "done"


def _tasks(tasks: list[Json], cut: bool) -> str:
    counts = Counter(_task(task) for task in tasks)
    parts = [f"{count} {what}" for what, count in counts.most_common()]
    return f"{_number(len(tasks), 'task', cut)}{': ' if parts else ''}{', '.join(parts)}"


def _task(task: Json) -> str:
    """How a task stands: in the hands of somebody, or its state."""
    status = str(task.get("status", "?"))
    who = task.get("assignee")
    has = {"in_progress": "with", "in_review": "in review, by", "committing": "committed by"}
    return f"{has[status]} {who}" if who and status in has else status.replace("_", " ")


def _workers(workers: list[Json], cut: bool) -> str:
    parts = [
        f"{one.get('worker_id', '?')} {one.get('status', '?')}"
        + (f" on {one['task_id']}" if one.get("task_id") else "")
        for one in workers[:MOST_NAMED]
    ]
    more = f", {len(workers) - MOST_NAMED} more" if len(workers) > MOST_NAMED else ""
    return f"{_number(len(workers), 'worker', cut)}{': ' if parts else ''}{', '.join(parts)}{more}"


_LISTS: Final[dict[str, tuple[str, Callable[[list[Json], bool], str]]]] = {
    "list_tasks": ("tasks", _tasks),
    "query_worker_state": ("workers", _workers),
}
"""The tools that answer with a list, its key in the answer, and its words."""


def _number(count: int, of: str, cut: bool) -> str:
    lead = "at least " if cut else ""
    return f"{lead}{count or 'no'} {of}{'' if count == 1 else 's'}"


def _items(answer: str, key: str) -> tuple[list[Json], bool] | None:
    """The objects of a list in an answer, and whether it was cut before its end."""
    whole = _object(answer)
    if whole is not None:
        found = whole.get(key)
        if not isinstance(found, list):
            return None
        return [one for one in found if isinstance(one, dict)], False
    start = re.search(rf'"{key}": ?\[', answer)
    if start is None or not answer.lstrip().startswith("{"):
        return None
    decoder, at, items = json.JSONDecoder(), start.end(), []
    while at < len(answer) and answer[at] == "{":
        try:
            item, at = decoder.raw_decode(answer, at)
        except (ValueError, RecursionError):
            break
        items.append(item)
        gap = _GAP.match(answer, at)
        at = gap.end() if gap else at
    return (items, True) if items else None


def _flat(given: Json) -> dict[str, str]:
    """The values that a line has room for: words and numbers, and short lists of them."""
    return {key: _value(value) for key, value in given.items()}


def _value(value: Any) -> str:
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        some = [str(one) for one in value[:MOST_NAMED] if isinstance(one, str | int | float)]
        more = f" and {len(value) - len(some)} more" if some and len(value) > len(some) else ""
        return ", ".join(some)[:_LONGEST] + more if some else (f"{len(value)}" if value else "")
    return " ".join(str(value)[:_LONGEST].split())


def _words(key: str) -> str:
    return key.removesuffix("_id").replace("_", " ")


def _object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
