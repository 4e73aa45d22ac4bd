"""`perles questions`, `answer`: what agents ask the person, and the answers."""

import sys
from typing import Annotated

import typer

from perles.cli.options import WorkflowId
from perles.cli.output import print_json, print_outcome, print_table, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.explanations import moment

HEADERS = ("N", "STATUS", "WORKFLOW", "AGENT", "TASK", "SINCE", "QUESTION", "ANSWER")
MAX_ANSWER = 1024 * 1024

Json = Annotated[bool, typer.Option("--json", help="Print JSON; docs/json.md describes it.")]


def questions(
    id: Annotated[str | None, typer.Argument(help="Only this workflow.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show answered and closed questions.")
    ] = False,
    json: Json = False,
) -> None:
    """List questions of agents that wait for you."""
    found = ControlPlane().questions(id, everything=everything)
    if json:
        print_json(found)
    elif found:
        rows = [
            [
                str(one["question"]),
                one["status"],
                one["workflow_id"],
                one["asked_by"],
                one["task"] or "-",
                moment(one["asked_at"]),
                _in_full(one),
                one["answer"] or "",
            ]
            for one in found
        ]
        print_table(HEADERS, rows, soft=("QUESTION", "ANSWER"))
    else:
        warn("no agent asks you anything")


def answer(
    id: WorkflowId,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[N] TEXT…",
            help="The question's number, if more than one waits, and the answer: a text, the "
            'number of an option, "" for the default, or - for standard input.',
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help='Print {"id": …, "status": …}.')] = False,
) -> None:
    """Answer an agent's question; it gets the answer as a message."""
    number, text = _split(words or [])
    print_outcome(ControlPlane().answer(id, text, number), json)


def _split(words: list[str]) -> tuple[int | None, str]:
    """The number of a question, where one stands before the text, and the text."""
    if not words:
        raise UsageError("cannot answer without a text: perles answer ID [N] TEXT, or - for stdin")
    number = None
    if len(words) > 1 and words[0].isascii() and words[0].isdigit() and len(words[0]) < 19:
        number, words = int(words[0]), words[1:]
    if words == ["-"]:
        return number, sys.stdin.buffer.read(MAX_ANSWER + 1).decode(errors="replace")
    return number, " ".join(words)


def _in_full(found: dict[str, object]) -> str:
    """The question, and in brackets what can be answered."""
    options = found["options"]
    assert isinstance(options, list)
    known = ", ".join(f"{number} {text}" for number, text in enumerate(options, 1))
    default = f"; default: {found['default']}" if found["default"] is not None else ""
    told = f"{known}{default}".removeprefix("; ")
    return f"{found['text']} ({told})" if told else str(found["text"])
