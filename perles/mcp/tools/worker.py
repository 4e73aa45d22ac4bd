"""The worker's tools."""

from typing import Annotated, Final

import msgspec

from perles.mcp.tools.tool import Arguments, Prose, Tool, Word


class ReportImplementationComplete(Arguments):
    """`exit_code` is that of the task's command, where it had one.

    `commits` are the ids of commits that you made for the task; git is asked whether they are.
    `trace_id` is kept with the call.
    """

    summary: Prose
    exit_code: Annotated[int, msgspec.Meta(ge=-255, le=255)] | None = None
    commits: Annotated[list[Word], msgspec.Meta(max_length=20)] | None = None
    trace_id: Word | None = None


WORKER_TOOLS: Final = (
    Tool(
        "signal_ready",
        "Say once, at your first turn, that you are there and can take a task.",
    ),
    Tool(
        "report_implementation_complete",
        "Report that the work on your task has ended, well or not, in a sentence or two. "
        "Do this before you end the turn.",
        ReportImplementationComplete,
    ),
)
