"""The tools by which agents tell at the end what they did, in their own words."""

from typing import Annotated, Final

import msgspec

from perles.mcp.tools.tool import Arguments, Tool, Word

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Lines = Annotated[list[Line], msgspec.Meta(max_length=50)]
Text = Annotated[str, msgspec.Meta(max_length=8_000)]
LEAST: Final = 20
"""Characters of a summary that says something."""


class Retro(Arguments):
    """What went well, what was hard, what comes again and again, what to take along."""

    went_well: Text | None = None
    friction: Text | None = None
    patterns: Text | None = None
    takeaways: Text | None = None


class PostAccountabilitySummary(Arguments):
    """`task_id` is a task's key, or `workflow` for the summary of all of it."""

    task_id: Word
    summary: Annotated[str, msgspec.Meta(min_length=LEAST, max_length=8_000)]
    commits: Lines | None = None
    issues_discovered: Lines | None = None
    issues_closed: Lines | None = None
    verification_points: Lines | None = None
    retro: Retro | None = None
    next_steps: Text | None = None


class GenerateAccountabilitySummary(Arguments):
    """`worker_id` is who merges the summaries of all."""

    worker_id: Word


POST_ACCOUNT: Final = Tool(
    "post_accountability_summary",
    "Tell once, when your task is done or its commit made, what you did: two or three sentences, "
    "how you verified it, what you found beside it, what is left. The user reads it.",
    PostAccountabilitySummary,
)
GENERATE_ACCOUNT: Final = Tool(
    "generate_accountability_summary",
    "Have a worker that has no task merge what all workers told into one summary for the user. Do "
    "so before signal_workflow_complete, where several workers took part.",
    GenerateAccountabilitySummary,
)
