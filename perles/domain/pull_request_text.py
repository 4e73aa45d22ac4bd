"""The text of a pull request, from what a workflow came to: for readers outside, on a web page."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from perles.domain.money import in_words
from perles.domain.text import clean

MAX_BODY: Final = 60_000
"""Characters: a host takes 65,536."""
MAX_TITLE: Final = 200
_MAX_SAID: Final = 2000
_MAX_COMMITS: Final = 100


def title_of(found: Mapping[str, Any]) -> str:
    """The workflow's name, as one line."""
    return " ".join(clean(found["name"]).split())[:MAX_TITLE]


def body_of(found: Mapping[str, Any]) -> str:
    """What was to be done, what became of each task, and the commits; Markdown.

    `found` is as `perles.store.reads.summary` has it, masked. Texts of agents mention nobody and
    hold no HTML there.
    """
    lines = [f"> {_plain(line)}" for line in clean(found["goal"], lines=True).splitlines()]
    lines += [""] if lines else []
    if found["tasks"]:
        lines += ["## Tasks", ""]
        for task in found["tasks"]:
            lines += _task(task, found["work_dir"])
        lines.append("")
    if found["commits"]:
        commits = found["commits"]
        lines += ["## Commits", ""]
        lines += [
            f"- {str(one.get('id', ''))[:12]} {_line(str(one.get('subject', '')))}"
            for one in commits[:_MAX_COMMITS]
        ]
        more = len(commits) - _MAX_COMMITS
        lines += [*([f"- and {more} more"] if more > 0 else []), ""]
    lines.append(f"Made by workflow {found['id']} of Perles: {_cost(found)}.")
    body = "\n".join(lines)
    return body if len(body) <= MAX_BODY else body[: MAX_BODY - 2] + "\n…"


def _task(task: Mapping[str, Any], folder: str) -> Iterator[str]:
    reviews = f", reviewed {task['reviews']} times" if task["reviews"] > 1 else ""
    reviews = ", reviewed once" if task["reviews"] == 1 else reviews
    yield f"- **{task['key']}** {_line(task['name'])}: {task['status']}{reviews}"
    said = task["failure"] or task["report"]
    if said:
        yield f"  {_line(said.replace(f'{folder}/', ''))[:_MAX_SAID]}"


def _cost(found: Mapping[str, Any]) -> str:
    turns = "1 turn" if found["turns"] == 1 else f"{found['turns']} turns"
    cost = in_words(found["cost_usd"], found["tokens_used"], found["agents"])
    return f"{turns}, {found['tokens_used']} tokens, {cost}"


def _line(text: str) -> str:
    return _plain(" ".join(clean(text).split()))


def _plain(text: str) -> str:
    """Without what a host makes of it: a mention wakes people, HTML and images fetch things."""
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace("@", "@\u200b")
        .replace("![", "!\u200b[")
    )
