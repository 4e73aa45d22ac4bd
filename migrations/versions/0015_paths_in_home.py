"""Paths are kept relative to the home folder that the database lies in, so that it may be moved.

What lies below the home becomes relative, by either of its names where it is reached by a link;
so does a session whose home was moved before: it is no more where it was, but lies in this home.

Revision: 0015
"""

import os
from collections.abc import Callable

from alembic import op
from sqlalchemy import Connection

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    home = _home(connection)
    names = tuple(dict.fromkeys((home, os.path.realpath(home))))
    _rewrite(connection, lambda path: _relative(path, home, names))


def downgrade() -> None:
    home = _home(op.get_bind())
    _rewrite(op.get_bind(), lambda path: os.path.join(home, path))


def _home(connection: Connection) -> str:
    return os.path.dirname(os.path.abspath(connection.engine.url.database or ""))


def _relative(path: str, home: str, names: tuple[str, ...]) -> str:
    for name in names:
        if path.startswith(f"{name}/"):
            return os.path.relpath(path, name)
    inside = os.path.join(*path.split("/")[-4:])  # sessions/<app>/<date>/<id>
    moved = inside.startswith("sessions/") and not os.path.exists(path)
    return inside if moved and os.path.isdir(os.path.join(home, inside)) else path


def _rewrite(connection: Connection, renamed: Callable[[str], str]) -> None:
    rows = connection.exec_driver_sql("SELECT id, session_dir, worktree_path FROM workflows")
    for id, session, worktree in rows.fetchall():
        if worktree is not None:
            _set(connection, "worktree_path", id, renamed(worktree))
        if session is None:
            continue
        _set(connection, "session_dir", id, renamed(session))
        for column in ("stdout_path", "stderr_path"):
            connection.exec_driver_sql(
                f"UPDATE turns SET {column} = ? || substr({column}, length(?) + 1) "  # noqa: S608
                f"WHERE workflow_id = ? AND substr({column}, 1, length(?) + 1) = ? || '/'",
                (renamed(session), session, id, session, session),
            )


def _set(connection: Connection, column: str, id: str, value: str) -> None:
    connection.exec_driver_sql(
        f"UPDATE workflows SET {column} = ? WHERE id = ?",  # noqa: S608 - a name of ours
        (value, id),
    )
