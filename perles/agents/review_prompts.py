"""The words of the review cycle: a review is asked for, denied with what to change, approved."""

from collections.abc import Sequence
from typing import Final

from perles.domain.quoting import in_line, quoted
from perles.domain.records import dataclass

MAX_EARLIER: Final = 3
"""Denials before this review that its reviewer is told, the latest."""

_SIMPLE: Final = """\
Read what was changed once, from beginning to end. Run the tests that cover it. Then decide.\
"""
_COMPLEX: Final = """\
Go through this list; look at each point by itself, with parallel helpers where you have them:
1. Is it correct? Read every changed line; try edge cases, wrong input and errors.
2. Is it tested? Run the tests. Is there a test that fails without the change?
3. Is it all needed? Look for dead code, leftovers and changes that nobody asked for.
4. Is it what the task asks for? Check each point of the task, with what you saw as evidence.\
"""
_DECIDE: Final = """\
Change nothing yourself. APPROVED only when every point of the task is met and the tests pass; \
else DENIED, with each change that you require: file, line, what is wrong, what is right. \
Call report_review_verdict as the last thing that you do in this turn.\
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewBrief:
    """A review as its reviewer is told of it.

    `report` is what the implementer said, `note` what the coordinator adds, `denials` are the
    comments of earlier rounds. `base` is the commit before the work, None where nobody knows.
    """

    key: str
    title: str
    body: str
    implementer: str
    report: str
    note: str
    review_type: str
    number: int
    denials: Sequence[str] = ()
    base: str | None = None


def review(brief: ReviewBrief) -> str:
    """What a reviewer is told; what others wrote is quoted."""
    lines = [
        f"Review task {brief.key}, which {brief.implementer} did (review {brief.number}).",
        f"Title: {in_line(brief.title)}",
        "",
        quoted(brief.body or brief.title),
        "",
        f"{brief.implementer} reported:",
        quoted(brief.report),
    ]
    if brief.note:
        lines += ["", "The coordinator adds:", quoted(brief.note)]
    if brief.base:
        changes = f"git diff {brief.base[:12]} and git status show the changes"
        lines += ["", f"{changes}; others may have worked in the same folder."]
    if brief.denials:
        lines += ["", "Denied before, for this; look whether it was mended:"]
        lines += [quoted(text) for text in brief.denials[-MAX_EARLIER:]]
    how = _SIMPLE if brief.review_type == "simple" else _COMPLEX
    return "\n".join([*lines, "", how, "", _DECIDE])


def feedback(key: str, reviewer: str, comments: str, text: str) -> str:
    """The text of a denial for the implementer: the reviewer's words and the coordinator's."""
    lines = [f"Task {key} was denied in its review by {reviewer}:", quoted(comments)]
    if text.strip() != comments.strip():
        lines += ["", "The coordinator says what to change:", quoted(text)]
    return "\n".join(
        [
            *lines,
            "",
            "Make these changes now, check them, then call report_implementation_complete.",
        ]
    )


def commit(key: str, message: str, *, in_repository: bool) -> str:
    """What an implementer is told after an approval."""
    lines = [f"Task {key} was approved. Commit your work now; change nothing else before."]
    if in_repository:
        lines += [
            "Look first with git status and git log whether it is committed already: commit once. "
            "Add only the files of this task; others may have worked in the same folder."
        ]
    if message:
        lines += ["", "The message of the commit:", quoted(message)]
    return "\n".join(
        [
            *lines,
            "",
            "Then call report_implementation_complete with a summary, and the ids of your commits "
            "in commits. Give exit_code 1 when you could not commit.",
        ]
    )
