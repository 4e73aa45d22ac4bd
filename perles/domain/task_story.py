"""All of one task in lines for people: what was asked, reported, said in its reviews, committed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from perles.domain.explanations import moment

Task = Mapping[str, Any]
T = TypeVar("T", bound=Task)

INDENT: Final = "  "
MAX_FILES: Final = 5
"""Files of a commit that are named."""
IN_WORDS: Final = {
    "in_review": "in review",
    "denied": "denied",
    "approved": "approved",
    "committing": "to be committed",
}
"""States of the review cycle, which no sign tells apart by itself."""
_SAID: Final = {
    "report": "reported",
    "review": "asked for a review",
    "approved": "APPROVED",
    "denied": "DENIED",
    "feedback": "said what to change",
    "approval": "approved a commit",
    "commit": "reported the commit",
    "blocked": "could not go on",
    "answer": "answered",
    "note": "noted",
}


MOST_SHOWN: Final = 200
"""Tasks of a workflow that a list shows unless all are asked for."""
FOREMOST: Final = (
    *("waiting_for_user", "failed", "denied", "in_progress", "in_review", "approved"),
    *("committing", "ready", "pending", "done", "skipped"),
)


def foremost(tasks: Sequence[T], most: int = MOST_SHOWN) -> list[T]:
    """The first `most` tasks, in their order: what a person looks for comes before the others.

    What waits for a person or failed comes before what runs, and that before what is to come or is
    over.
    """
    if len(tasks) <= most:
        return list(tasks)
    ranks = {status: rank for rank, status in enumerate(FOREMOST)}
    places = sorted(range(len(tasks)), key=lambda at: (ranks.get(tasks[at]["status"], 0), at))
    return [tasks[at] for at in sorted(places[:most])]


def standing(task: Task) -> str:
    """What a task waits for beside other tasks, or how far a service or its items are."""
    if task.get("waits_for"):
        return str(task["waits_for"])
    if task.get("items") and task["status"] == "pending":
        items = task["items"]
        failed = f", {items['failed']} failed" if items["failed"] else ""
        return f"{items['done']} of {items['total']} items done{failed}"
    if not task.get("ready") or task["status"] != "in_progress":
        return ""
    since = task["serving_since"]
    return f"ready since {moment(since)}" if since else "not ready yet"


def story(task: Task) -> list[str]:
    """The lines; texts of agents stand in them as they are, so clean them before they are shown."""
    return [
        *_text("asked", task["body"]),
        *_text("now", standing(task)),
        *_state(task),
        *_report(task),
        *(line for comment in task["comments"] for line in _comment(comment)),
        *_receipt(task["receipt"]),
    ]


def why(task: Task) -> list[str]:
    """Why the task failed, or its last attempt did, or why it was skipped; [] where nothing did."""
    word = "skipped" if task["status"] == "skipped" else "failed"
    return [f"{word}: {task['failure']}"] if task["failure"] else []


def _report(task: Task) -> list[str]:
    """The report, where no comment has it: it is older than the comments, or came as text."""
    if any(comment["kind"] == "report" for comment in task["comments"]):
        return []
    return _text("reported", task["report"])


def _state(task: Task) -> Iterator[str]:
    if task["cut_off"]:
        yield cut_off(task)
    if task["blocked"]:
        yield from _text("blocked", task["blocked"])
    if task["status"] == "in_review" and task["reviewer"]:
        yield f"reviewed by {task['reviewer']}"
    if task["denials"]:
        yield f"denied {_times(task['denials'])}"


def cut_off(task: Task) -> str:
    """That its work was cut off and repeated, which counts as no attempt; "" where it was not."""
    return f"cut off and repeated {_times(task['cut_off'])}" if task["cut_off"] else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _comment(comment: Mapping[str, Any]) -> list[str]:
    said = _SAID.get(comment["kind"], comment["kind"])
    of_review = comment["kind"] in ("review", "approved", "denied")
    where = f" (review {comment['round']})" if of_review else ""
    head = f"{moment(comment['at'])} {comment['author']} {said}{where}"
    return _text(head, comment["text"] or "-")


def _receipt(receipt: Mapping[str, Any] | None) -> Iterator[str]:
    if receipt is None:
        return
    yield f"committed on {receipt['branch'] or 'no branch'}:"
    for commit in receipt["commits"]:
        aside = "" if commit["on_branch"] else " (not on this branch)"
        yield f"{INDENT}{commit['id'][:12]} {commit['subject']}{aside}"
        names = ", ".join(commit["files"][:MAX_FILES])
        more = commit["changed"] - min(len(commit["files"]), MAX_FILES)
        yield f"{INDENT * 2}{names}{f' and {more} more' if more > 0 else ''}"


def _text(head: str, text: str | None) -> list[str]:
    """A head with its text beneath; on one line where it is short."""
    lines = (text or "").strip().splitlines()
    if not lines:
        return []
    if len(lines) == 1:
        return [f"{head}: {lines[0]}"]
    return [f"{head}:", *(f"{INDENT}{line}" for line in lines)]


def branches(tasks: Sequence[Task]) -> Iterator[tuple[Task, str, str]]:
    """The tasks as a tree: each under the last of those it waits for, in the order of the plan.

    With each stand what leads to its line, and what leads to lines beneath it.
    """
    children = _children(tasks)
    stack = [(task, "", "") for task in reversed(children.get("", []))]
    while stack:
        task, lead, below = stack.pop()
        yield task, lead, below
        inner = children.get(task["key"], [])
        for index in range(len(inner) - 1, -1, -1):
            last = index == len(inner) - 1
            stack.append(
                (inner[index], below + ("└─" if last else "├─"), below + ("  " if last else "│ "))
            )


def _children(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Tasks by the one they hang on: the last they wait for, in the order of the plan."""
    order = {task["key"]: index for index, task in enumerate(tasks)}
    found: dict[str, list[Task]] = {}
    for task in tasks:
        known = [key for key in task["after"] if order.get(key, len(order)) < order[task["key"]]]
        parent = max(known, key=lambda key: order[key], default="")
        found.setdefault(parent, []).append(task)
    return found
