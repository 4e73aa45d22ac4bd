"""What a workflow changed, line by line: which one is selected, and what was written about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, NamedTuple

from perles.dashboard.model.editor import Editor
from perles.domain.patterns import lazy_pattern
from perles.domain.records import dataclass
from perles.domain.text import clean

MAX_ROWS: Final = 20_000
"""Lines of a diff that are shown."""
_MAX_QUOTED: Final = 300
_AROUND: Final = 2
"""Lines before the one that a comment is about which are quoted with it."""
_HUNK: Final = lazy_pattern(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_SIGNS: Final = {"+": "add", "-": "del", " ": "same", "\\": "note"}


class Row(NamedTuple):
    """A line of a diff: `kind` is file, hunk, add, del, same or note; `file` counts from 0.

    `old` and `new` are its numbers before and after the change, None where it is not there.
    """

    kind: str
    file: int
    text: str
    old: int | None = None
    new: int | None = None


class Comment(NamedTuple):
    """What was written about a line, and to whom."""

    row: int
    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Diff:
    """The diff of one workflow. `rows` is None while it is asked for; `left` scrolls sideways."""

    workflow_id: str
    back: str = "table"
    rows: tuple[Row, ...] | None = None
    files: Sequence[Mapping[str, Any]] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    """`name`, `state`, `branch`, `base`, `agents`, and `cut` where lines are left out."""
    error: str = ""
    cursor: int = 0
    top: int = 0
    left: int = 0
    search: Editor = field(default_factory=Editor)
    searching: bool = False
    comment: Editor | None = None
    to: str = ""
    comments: tuple[Comment, ...] = ()

    @property
    def selected(self) -> Row | None:
        """The line that keys act on."""
        return self.rows[min(self.cursor, len(self.rows) - 1)] if self.rows else None


def taken(diff: Diff, found: Mapping[str, Any]) -> Diff:
    """The diff with what was read of it."""
    rows = tuple(parse(found["patch"], found["files"]))
    agents = found["agents"]
    to = diff.to if diff.to in agents else next(iter(agents), "")
    at = max(0, min(diff.cursor, len(rows) - 1))
    kept = tuple(one for one in diff.comments if one.row < len(rows))
    read = replace(diff, rows=rows, files=found["files"], about=found, error="", comments=kept)
    return replace(read, to=to, cursor=at)


def parse(patch: str, files: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The lines of a patch as git prints it, at most `MAX_ROWS`; `files` are in the same order."""
    rows: list[Row] = []
    file, old, new, within = -1, 0, 0, False
    for text in patch.split("\n")[:MAX_ROWS]:
        if text.startswith("diff --git "):
            file, within = file + 1, False
            rows.append(Row("file", file, _title(files, file)))
        elif found := _HUNK.match(text):
            old, new, within = int(found[1]), int(found[2]), True
            rows.append(Row("hunk", file, text))
        elif within and text[:1] in _SIGNS and text:
            kind = _SIGNS[text[0]]
            is_old, is_new = kind in ("del", "same"), kind in ("add", "same")
            at = (old if is_old else None, new if is_new else None)
            rows.append(Row(kind, file, text[1:] if kind != "note" else text, *at))
            old, new = old + is_old, new + is_new
        elif text.startswith(("Binary files", "new file", "deleted file", "old mode", "new mode")):
            rows.append(Row("note", file, text))
    return rows


def _title(files: Sequence[Mapping[str, Any]], at: int) -> str:
    if at >= len(files):
        return "?"
    one = files[at]
    return f"{one['old_path']} → {one['path']}" if one["old_path"] else str(one["path"])


def message(diff: Diff, text: str) -> str:
    """A comment on the selected line, as its agent reads it."""
    assert diff.rows is not None
    row = diff.selected
    assert row is not None
    path = clean(_title(diff.files, row.file))
    start = max(0, diff.cursor - _AROUND)
    around = [
        one
        for one in diff.rows[start : diff.cursor + 1]
        if one.file == row.file and one.kind in ("add", "del", "same")
    ]
    quoted = "\n".join(f"    {_sign(one)}{clean(one.text)[:_MAX_QUOTED]}" for one in around)
    return f"About {path}{_where(row)}:\n{quoted}\n\n{text}" if quoted else f"About {path}: {text}"


def _where(row: Row) -> str:
    if row.new is not None:
        return f", line {row.new}"
    return "" if row.old is None else f", line {row.old} as it was before the change"


def _sign(row: Row) -> str:
    return {"add": "+", "del": "-"}.get(row.kind, " ")
