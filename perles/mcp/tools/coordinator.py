"""The coordinator's tools."""

from typing import Annotated, Final, Literal

import msgspec

from perles.mcp.tools.reads import list_tasks, query_worker_state
from perles.mcp.tools.tool import Arguments, Prose, Tool, Word

Retries = Annotated[int, msgspec.Meta(ge=0, le=10)]


class ListTasks(Arguments):
    """`status` keeps only tasks in that state."""

    status: Word | None = None


class QueryWorkerState(Arguments):
    """Both narrow the workers that are listed."""

    worker_id: Word | None = None
    task_id: Word | None = None


class SpawnWorker(Arguments):
    """`agent_type` is its speciality, `provider` its kind; generic and the usual one without."""

    agent_type: Literal["implementer", "reviewer", "researcher"] | None = None
    provider: Word | None = None


class CreateTask(Arguments):
    """`after` are the keys of tasks that must be done first; `body` is all its worker is told.

    `retries` is how many times the task is ready again by itself after mark_task_failed. With
    `review` it is done only once another worker has approved it.
    """

    key: Word
    title: Word
    body: Prose
    after: Annotated[list[Word], msgspec.Meta(max_length=100)] | None = None
    retries: Retries | None = None
    review: Literal["simple", "complex"] | None = None


class AssignTask(Arguments):
    """`summary` is guidance beyond the task's own text."""

    worker_id: Word
    task_id: Word
    summary: Prose | None = None


class MarkTaskComplete(Arguments):
    """`task_id` is the task's key."""

    task_id: Word


class MarkTaskFailed(Arguments):
    """`reason` is shown to the person."""

    task_id: Word
    reason: Prose


class ReopenTask(Arguments):
    """`reason` is kept; `retries` is how many more failures the task is forgiven."""

    task_id: Word
    reason: Prose
    retries: Retries | None = None


class NotifyUser(Arguments):
    """`phase` and `task_id` say what the message is about."""

    message: Prose
    phase: Word | None = None
    task_id: Word | None = None


class SignalWorkflowComplete(Arguments):
    """`summary` is what the person reads first. The rest is kept with the call."""

    status: Literal["success", "partial", "aborted"]
    summary: Prose
    epic_id: Word | None = None
    tasks_closed: Annotated[int, msgspec.Meta(ge=0)] | None = None


COORDINATOR_TOOLS: Final = (
    Tool(
        "list_tasks",
        "All tasks of this workflow in plan order, with status, assignee, what each waits for "
        "(after), attempts, exit code, whether its worker has reported on this attempt, who "
        "reviews it, how often it was denied, and why a worker cannot go on (blocked).",
        ListTasks,
        list_tasks,
    ),
    Tool(
        "query_worker_state",
        "The workers of this workflow: status, phase, task, queued messages. ready_workers can "
        "take a task now.",
        QueryWorkerState,
        query_worker_state,
    ),
    Tool(
        "spawn_worker",
        "Add one worker and learn its id. It can be given a task at once. provider only where a "
        "task asks for another kind (worker in list_tasks). Refused when a limit "
        "is reached: go on with the workers you have.",
        SpawnWorker,
    ),
    Tool(
        "create_task",
        "Add a task to the plan. It is ready once all tasks in after are done. Its body is all "
        "that its worker is told, so say what to do, where, and how to know that it is done.",
        CreateTask,
    ),
    Tool(
        "assign_task",
        "Give a task that is ready, or whose worker failed or is blocked, to a worker that has "
        "none. The worker "
        "is told what was done before, starts by itself and reports to you; end your turn when "
        "there is nothing else to assign. The answer says waiting where another task holds a mutex "
        "or limit of this one: its worker stays free, and you are told when it is its turn.",
        AssignTask,
    ),
    Tool(
        "mark_task_complete",
        "The task is done: frees its worker and makes tasks ready that waited for it "
        "(now_ready in the answer). Not while it is reviewed or after a denial; once approved, "
        "only where nothing is left to commit. A task with a check has it run first: where that "
        "does not pass, the answer says sent_back (its worker mends it and reports again) or "
        "failed.",
        MarkTaskComplete,
    ),
    Tool(
        "mark_task_failed",
        "This attempt failed. The answer says retrying (the task is ready again: assign it anew) "
        "or failed (what depends on it is skipped; reopen_task brings both back).",
        MarkTaskFailed,
    ),
    Tool(
        "reopen_task",
        "Try a failed task again, and what was skipped because of it: it is ready (assign it anew, "
        "to whom you like) or pending. Its next worker is told what the last one did.",
        ReopenTask,
    ),
    Tool(
        "notify_user",
        "Tell the person something that needs their eyes. Does not wait for an answer.",
        NotifyUser,
    ),
    Tool(
        "signal_workflow_complete",
        "Declare the end: success when every task is done, partial when some failed, aborted "
        "when it makes no sense to go on. All agents are ended; end your turn right after.",
        SignalWorkflowComplete,
    ),
)
