"""The files that tasks left and that are kept. By the driver alone."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perles.store.reads.connection import Json

if TYPE_CHECKING:
    from sqlite3 import Connection

    from perles.config.home import Paths


def kept_files(connection: Connection, paths: Paths, workflow_id: str) -> list[Json]:
    """What `artifacts --json` shows, in the order of the plan."""
    query = """SELECT t.key, t.outputs, w.session_dir
        FROM tasks t JOIN workflows w ON w.id = t.workflow_id
        WHERE t.workflow_id = ? AND instr(t.outputs, '"artifacts":') > 0 ORDER BY t.id"""
    return [
        {
            "task": row["key"],
            "path": one["path"],
            "bytes": one["bytes"],
            "sha256": one["sha256"],
            "file": str(_place(paths.found(row["session_dir"]), row["key"], one["path"])),
        }
        for row in connection.execute(query, (workflow_id,))
        if row["session_dir"] is not None
        for one in json.loads(row["outputs"]).get("artifacts", [])
    ]


def _place(session: Path, key: str, path: str) -> Path:
    return session / "artifacts" / key / PurePosixPath(path)
