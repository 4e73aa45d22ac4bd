"""Artifacts: files that a post refers to. Their content stays where it is."""

import mimetypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.errors import ToolError
from perles.domain.text import clean
from perles.fabric import posts
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.fabric import Artifact
from perles.store.transaction import Tx
from perles.workspace import door

MAX_SIZE: Final = 1024**3
"""Bytes of a file that can be attached."""
MAX_NAME: Final = 200
"""Characters of an artifact's name."""


class File(NamedTuple):
    """A file as it was found: its path without links, its bytes."""

    path: Path
    size: int


def look(given: str, folders: Sequence[Path]) -> File:
    """The file at a path, which lies below one of these folders; a relative one in the first.

    Not to be called in a transaction: it opens the file, though it reads nothing of it. Raises
    `ToolError` for one that lies elsewhere, is none, is reached through a link, or is too large.
    """
    name = clean(given)
    try:
        path = Path(os.path.normpath(folders[0] / given))
        folder = next((one for one in folders if path != one and path.is_relative_to(one)), None)
        if folder is None:
            inside = " or ".join(str(one) for one in folders)
            raise ToolError(f"cannot attach {name}: it is not in {inside}; copy it there first")
        fd = door.open_below(folder, path.relative_to(folder))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ToolError(
            f"cannot attach {name}: {why}; attach a regular file that no link leads to"
        ) from error
    try:
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    if size > MAX_SIZE:
        raise ToolError(
            f"cannot attach {name}: it has {size} bytes, at most {MAX_SIZE} are possible; "
            "attach a part of it, or name its path in a post"
        )
    return File(path, size)


def attach(tx: Tx, agent: Agent, post_id: int, file: File, name: str | None) -> dict[str, object]:
    """Refer to a file from a post of this workflow. Raises `NotFoundError`."""
    post = posts.post_of(tx, agent.workflow_id, post_id)
    path = tx.secrets.mask(tx, agent.workflow_id, str(file.path))
    shown = clean(name or file.path.name)[:MAX_NAME]
    values = {"name": shown, "path": path, "size_bytes": file.size, "author": agent.name}
    media = mimetypes.guess_type(file.path.name)[0]
    artifact_id = tx.insert(Artifact, post_id=post.id, media_type=media, **values)
    payload = {"artifact": artifact_id, "post": post.id, "from": agent.name, **values}
    journal.append(tx, "fabric.attached", payload, workflow_id=agent.workflow_id, agent_id=agent.id)
    return {"id": artifact_id, "name": shown, "size_bytes": file.size}
