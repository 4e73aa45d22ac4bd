"""Reading a channel: its newest posts by thread, the thread with the newest post last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from perles.controlplane.held_reads import fabric
from perles.dashboard.reading.record import Record

if TYPE_CHECKING:
    from perles.controlplane.held_reads import Connection

COUNTED: Final = 100
"""What is unread is counted up to this number."""


def channels(connection: Connection, workflow_id: str) -> list[dict[str, Any]]:
    """The channels, with how much of each the person has not read."""
    return fabric.channels(connection, workflow_id, most=COUNTED)


def posts(connection: Connection, workflow_id: str, channel: str, limit: int) -> list[Record]:
    """The newest posts of a channel, each thread's together under its first one."""
    wanted = fabric.Wanted(channel=channel, limit=limit)
    found = fabric.shown(connection, workflow_id, wanted)
    threads: dict[int, list[Mapping[str, Any]]] = {}
    for post in found:
        at = threads.pop(post["thread"], [])  # so that the newest thread comes last
        threads[post["thread"]] = [*at, post]
    records = []
    for first, some in threads.items():
        if some[0]["id"] != first:  # an old thread that somebody answered in
            some = [{**fabric.post(connection, workflow_id, first), "artifacts": []}, *some]
        records += [_record(post) for post in some]
    return records


def _record(post: Mapping[str, Any]) -> Record:
    """`note` is what stands beside its author: its kind, and whether it is a reply."""
    kind = "" if post["kind"] in ("info", "response") else str(post["kind"])
    files = "".join(
        f"\nfile `{file['path']}` ({file['size_bytes']} bytes)" for file in post["artifacts"]
    )
    what = "post" if post["thread"] == post["id"] else "answer"
    return Record(post["id"], post["at"], what, post["author"], post["text"] + files, kind)
