"""The next step of a task that is to be reviewed, by fixed rules."""

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from perles.agents.builtin.client import Json

IN_REVIEW = ("in_review", "denied", "approved", "committing")
"""States of a task whose review has begun."""
FEEDBACK = "Make the changes that the review asks for, and no others."


def needs_reviewer(task: "Json") -> bool:
    """Whether somebody who did not do the task is to look at it now."""
    if task["status"] == "in_review":
        return task["reviewer"] is None
    is_ready = task["status"] == "in_progress" and task["reported"] and task["review"] is not None
    return is_ready and task["exit_code"] in (0, None)


def holds_worker(task: "Json") -> bool:
    """Whether a worker has the task until it is reviewed, and can review no other one."""
    return task["review"] is not None and task["status"] in ("in_progress", *IN_REVIEW)


def step(task: "Json") -> "tuple[str, Json] | None":
    """The call that brings a review on; None where that is somebody else's."""
    key, worker = task["key"], task["assignee"]
    if task["status"] == "denied":
        about = {"implementer_id": worker, "task_id": key, "feedback": FEEDBACK}
        return "assign_review_feedback", about
    if task["status"] == "committing" and task["reported"]:
        if task["exit_code"] in (0, None):
            return "mark_task_complete", {"task_id": key}
        reason = f"it could not be committed: {task['summary']}"
        return "mark_task_failed", {"task_id": key, "reason": reason}
    return None


def assignment(task: "Json", reviewer: str) -> "tuple[str, Json]":
    """The call that gives the review to somebody."""
    return "assign_task_review", {
        "reviewer_id": reviewer,
        "task_id": task["key"],
        "implementer_id": task["assignee"],
        "summary": "Is it what the task asks for, all of it, and right?",
        "review_type": task["review"] or "complex",
    }
