"""Files that people write: read with bounds, and as a tree of nodes that know their lines."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from perles.config import json_tree
from perles.config.node import MAX_DEPTH as MAX_DEPTH
from perles.config.node import MAX_NODES as MAX_NODES
from perles.config.node import Node as Node
from perles.domain.errors import UsageError

MIB: Final = 1024 * 1024
MAX_BYTES: Final = MIB


def read(path: Path) -> Node:
    """The document in a file. Raises `UsageError` for what is not YAML, not UTF-8, or too large."""
    return parse(read_text(path), str(path))


def read_bytes(path: Path, limit: int = MAX_BYTES, *, pipes: bool = False) -> bytes:
    """The first `limit` bytes of a regular file, which may be a link to one. Raises `OSError`.

    In a repository anything may stand in a file's place, and opening a pipe or reading a device
    would never end. `pipes` are read too, where a person named one: `<(command)`, /dev/stdin.
    """
    waits = 0 if pipes else os.O_NONBLOCK
    fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | waits)
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode))):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(limit)


def read_text(path: Path, limit: int = MAX_BYTES, *, pipes: bool = False) -> str:
    """The text of a file. Raises `UsageError` when it is missing, too large, or not UTF-8.

    `pipes` as for `read_bytes`.
    """
    try:
        content = read_bytes(path, limit + 1, pipes=pipes)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; check the name") from error
    if len(content) > limit:
        raise UsageError(f"cannot use {path}: it is over {limit // MIB} MiB; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"cannot use {path}:{line}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error


def parse(text: str, source: str) -> Node:
    """The document in a text; an empty one is an empty mapping. Raises `UsageError`."""
    found = json_tree.tree(text, source)
    if found is not None:
        return found
    from perles.config import yaml_tree

    return yaml_tree.tree(text, source)
