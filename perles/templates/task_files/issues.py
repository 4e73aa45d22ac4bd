"""Tasks as issues of GitHub: what `gh issue list --json number,title,body,state` prints."""

import re
from collections.abc import Sequence
from typing import Any, Final

from perles.domain.patterns import lazy_pattern
from perles.templates.task_files.item import Item

_BLOCKED: Final = lazy_pattern(
    r"^\s*(?:[-*]\s+)?(?:depends on|blocked by|after|requires)\b:?([^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER: Final = lazy_pattern(r"#(\d+)")


def is_issues(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether these are issues of GitHub."""
    return all("title" in row and ("number" in row or "html_url" in row) for row in rows)


def read(rows: Sequence[dict[str, Any]], source: str) -> list[Item]:
    """The issues; pull requests, which GitHub lists among them, are no tasks.

    A line `Depends on #12` or `Blocked by #12` in the text of one names another that it waits for,
    where that is in the list: one that is not is done, or somebody else's.
    """
    numbers = {str(row.get("number", "")) for row in rows}
    return [
        Item(
            where=f"{source}, issue {row.get('number', place)}",
            name=f"issue-{row.get('number', place)}",
            title=str(row["title"]),
            body=_body(row),
            after=_after(str(row.get("body") or ""), numbers),
            done=str(row.get("state", "open")).lower() == "closed",
        )
        for place, row in enumerate(rows, start=1)
        if not row.get("pull_request")
    ]


def _body(row: dict[str, Any]) -> str:
    labels = [_name(label) for label in row.get("labels") or ()]
    parts = [str(row.get("body") or "").replace("\r\n", "\n").strip()]
    parts += [f"Labels: {', '.join(labels)}"] if labels else []
    url = row.get("html_url") or row.get("url")
    parts += [f"Issue {row['number']}: {url}"] if url and "number" in row else []
    return "\n\n".join(part for part in parts if part)


def _name(label: Any) -> str:
    return str(label.get("name", "")) if isinstance(label, dict) else str(label)


def _after(body: str, numbers: set[str]) -> list[str]:
    named = [n for line in _BLOCKED.findall(body) for n in _NUMBER.findall(line)]
    return [f"issue-{number}" for number in dict.fromkeys(named) if number in numbers]
