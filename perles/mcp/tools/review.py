"""The tools of the review cycle: the coordinator's and the worker's."""

from typing import Final, Literal

from perles.mcp.tools.tool import Arguments, Prose, Tool, Word


class AssignTaskReview(Arguments):
    """`summary` tells the reviewer what to look at; `simple` is one pass, `complex` a checklist."""

    reviewer_id: Word
    task_id: Word
    implementer_id: Word
    summary: Prose
    review_type: Literal["simple", "complex"] | None = None


class AssignReviewFeedback(Arguments):
    """`feedback` is what to change."""

    implementer_id: Word
    task_id: Word
    feedback: Prose


class ApproveCommit(Arguments):
    """`commit_message` is that of the commit."""

    implementer_id: Word
    task_id: Word
    commit_message: Prose | None = None


class ReportReviewVerdict(Arguments):
    """`comments` are the reasons; for DENIED, each change that is required. `trace_id` is kept."""

    verdict: Literal["APPROVED", "DENIED"]
    comments: Prose
    trace_id: Word | None = None


class ReportBlocked(Arguments):
    """`reason` is what stands in the way, and what would help."""

    reason: Prose


COORDINATOR_REVIEW_TOOLS: Final = (
    Tool(
        "assign_task_review",
        "Have a task that was reported on reviewed by a free worker that is not its own. The "
        "verdict comes to you as a message. review_type simple is one pass, complex (the default) "
        "a checklist.",
        AssignTaskReview,
    ),
    Tool(
        "assign_review_feedback",
        "Give a task that its review denied back to its worker, with what to change. It reports "
        "again; then have it reviewed again, by the same reviewer or another.",
        AssignReviewFeedback,
    ),
    Tool(
        "approve_commit",
        "Have the worker of a task that its review approved commit it. It reports the commit; "
        "then call mark_task_complete.",
        ApproveCommit,
    ),
)
WORKER_REVIEW_TOOLS: Final = (
    Tool(
        "report_review_verdict",
        "Decide the review that you were given: APPROVED, or DENIED with each change that is "
        "required. Do this as the last thing before you end the turn.",
        ReportReviewVerdict,
    ),
    Tool(
        "report_blocked",
        "Say that you cannot go on with your task or review without help, and why. The coordinator "
        "is told at once; end your turn then. Your task stays yours until you are told otherwise.",
        ReportBlocked,
    ),
)
