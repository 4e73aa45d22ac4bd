"""The session folder tells a stranger what the run was, without Perles and without its database.

It is written when the workflow pauses and when it ends: `README.md` first to be read, then
`summary.md`, `workflow.json`, `messages.jsonl` and `posts.jsonl`, each whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from perles.domain.errors import DatabaseError
from perles.domain.secrecy import longest_first, masked
from perles.domain.summary_text import account_text, readme_text, summary_text
from perles.store.reads import run_record
from perles.store.reads.connection import reading
from perles.store.reads.summary import WHOLE
from perles.store.reads.turns import secrets_of
from perles.store.reads.workflow import show_workflow
from perles.workflows.summaries import whole_summary
from perles.workspace import door

INDEX: Final = "sessions.jsonl"
MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of one file of rows; a last line tells where it was cut."""
MAX_INDEX: Final = 16 * 1024 * 1024
"""Bytes of the index from which on it is written anew."""
_ACCOUNT: Final = "accountability_summary.md"


def write(database: Path, workflow_id: str) -> None:
    """Write what the session folder tells. Raises `OSError`, `DatabaseError`.

    Nothing is done where there is no such folder any more.
    """
    with reading(database) as connection:
        if connection is None:
            raise _gone(database)
        shown = show_workflow(connection, workflow_id)
        if not shown["session_dir"] or not Path(shown["session_dir"]).is_dir():
            return
        folder, secrets = (
            Path(shown["session_dir"]),
            longest_first(secrets_of(connection, workflow_id)),
        )

        def clean(value: Any) -> Any:
            return masked(value, secrets)

        found = clean(whole_summary(connection, workflow_id))
        _text(folder / "summary.md", summary_text(found))
        _accounts(folder, found["accounts"])
        _text(folder / "workflow.json", _workflow(connection, shown, clean))
        for name, rows in (("messages", run_record.messages), ("posts", run_record.posts)):
            _lines(folder / f"{name}.jsonl", map(clean, rows(connection, workflow_id)))
        _text(folder / "README.md", readme_text(found))


def _gone(database: Path) -> DatabaseError:
    return DatabaseError(f"cannot read {database}: it is gone; put it back")


def write_index(database: Path, sessions: Path, ids: Sequence[str] | None = None) -> None:
    """Write the index of all session folders, or add lines for those of `ids`.

    The last line of a workflow is how it stands: what is added is little, however many there are.
    A file that has grown long is written anew, oldest first. Raises `OSError`, `DatabaseError`.
    """
    if not sessions.is_dir():
        return
    with reading(database) as connection:
        if connection is None:
            raise _gone(database)
        if ids is not None:
            added = [one for id in ids if (one := run_record.session(connection, id)) is not None]
            if _added(sessions / INDEX, added):
                return
        found = run_record.sessions(connection)
    _lines(sessions / INDEX, reversed(found))


def _added(index: Path, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether lines could be added; not where there is no such file, or it is long."""
    if index.is_symlink() or not 0 < door.size_of(index) < MAX_INDEX:
        return False
    try:
        for row in rows:
            door.append(index, json.dumps(row, ensure_ascii=False).encode(errors="replace") + b"\n")
    except (FileNotFoundError, door.ReplacedError):
        return False
    return True


def _workflow(connection: Any, shown: dict[str, Any], clean: Callable[[Any], Any]) -> str:
    commands = run_record.commands(connection, shown["id"])
    tasks = [{**task, "run": commands.get(task["key"])} for task in shown["tasks"]]
    return json.dumps(clean({**shown, "tasks": tasks}), indent=2, ensure_ascii=False) + "\n"


def _accounts(folder: Path, accounts: Iterable[Mapping[str, Any]]) -> None:
    """Each worker's own words in its folder; those on all of it beside the summary."""
    by_place: dict[Path, list[str]] = {}
    for account in accounts:
        place = folder if account["task_id"] == WHOLE else folder / account["worker"]
        by_place.setdefault(place, []).extend(account_text(account))
    for place, lines in by_place.items():
        if place.is_dir() and not place.is_symlink():
            _text(place / _ACCOUNT, "\n".join(lines))


def _text(path: Path, text: str) -> None:
    with door.replacing(path) as file:
        file.write(text.encode(errors="replace"))


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with door.replacing(path) as file:
        for line in _bounded(rows):
            file.write(line)


def _bounded(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    left = MAX_BYTES
    for row in rows:
        line = json.dumps(row, ensure_ascii=False).encode(errors="replace") + b"\n"
        left -= len(line)
        if left < 0:
            yield json.dumps({"cut": "the rest is in the database"}).encode() + b"\n"
            return
        yield line
