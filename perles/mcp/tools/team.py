"""The coordinator's tools for its team: to replace, retire or stop a worker, and to write to it."""

from typing import Final

from perles.mcp.tools.tool import Arguments, Prose, Tool, Word


class ReplaceWorker(Arguments):
    """`reason` is kept, and told to the successor."""

    worker_id: Word
    reason: Prose | None = None


class RetireWorker(Arguments):
    """`reason` is kept."""

    worker_id: Word
    reason: Prose | None = None


class StopWorker(Arguments):
    """`force` leaves its turn no time to end, and stops it while it commits, too."""

    worker_id: Word
    force: bool = False
    reason: Prose | None = None


class SendToWorker(Arguments):
    """`message` is read by the worker at its next turn."""

    worker_id: Word
    message: Prose


TEAM_TOOLS: Final = (
    Tool(
        "replace_worker",
        "Put a fresh worker in the place of one that is confused, stuck or failed. The successor "
        "(its id is in the answer) gets the task, the mail and a handover, and goes on by itself.",
        ReplaceWorker,
    ),
    Tool(
        "retire_worker",
        "Let a worker go for good. A task that it has not reported on is ready again: assign it "
        "to another one.",
        RetireWorker,
    ),
    Tool(
        "stop_worker",
        "End a worker's turn at once. It takes no task until the user resumes it; its unfinished "
        "task is ready again. Refused while it commits, unless force is true.",
        StopWorker,
    ),
    Tool(
        "send_to_worker",
        "Tell a worker something: an answer to what blocks it, or what changed about its task. It "
        "is started with it, or reads it after its present turn.",
        SendToWorker,
    ),
)
