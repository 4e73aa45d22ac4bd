"""What a node keeps of its turns: one small file each, so that it can be killed at any instant.

A turn that was forgotten leaves an empty file: a start that is delivered very late is none.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from perles.executor.contract import Identity, TurnFiles, TurnKey
from perles.executor.remote.messages import TurnRef
from perles.workspace import door

FOLDER: Final = "turns"
ROOT: Final = "sessions"
KEPT: Final = 86_400.0
"""Seconds for which it is known of a turn that it was forgotten: far longer than any lease."""


class Record(msgspec.Struct, kw_only=True):
    """A turn of this node. `folder` is relative to the root, `output` the file with its output.

    `fenced` tells that the lease was over, `parted` that the node was about to end.
    """

    turn: TurnRef
    folder: str
    output: str
    pid: int = 0
    start_ticks: int = 0
    boot_id: str = ""
    fenced: bool = False
    parted: bool = False

    @property
    def key(self) -> TurnKey:
        """Which turn, as an executor knows it."""
        return TurnKey(self.turn.workflow_id, self.turn.turn_id)

    @property
    def identity(self) -> Identity | None:
        """Which process; None where it was not noted."""
        return Identity(self.pid, self.start_ticks, self.boot_id) if self.pid else None

    def files(self, root: Path) -> TurnFiles:
        """Where its files lie."""
        return TurnFiles.at(root / self.folder / self.output)


class Records:
    """The records in a node's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def all(self) -> Iterator[Record]:
        """Every turn that was not forgotten; what cannot be read is none."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                yield msgspec.json.decode(door.read_small(path), type=Record)
            except (OSError, msgspec.DecodeError):
                continue

    def keep(self, record: Record) -> None:
        """Write a record down. Raises `OSError`."""
        with door.replacing(self._path(record.turn, "json")) as file:
            file.write(msgspec.json.encode(record))

    def forget(self, turn: TurnRef) -> None:
        """Know of a turn only that it was. Raises `OSError`."""
        door.write(self._path(turn, "gone"), b"")
        self._path(turn, "json").unlink(missing_ok=True)

    def drop(self, turn: TurnRef) -> None:
        """There was no such turn. Raises `OSError`."""
        self._path(turn, "json").unlink(missing_ok=True)

    def is_forgotten(self, turn: TurnRef) -> bool:
        """Whether a turn was here, and is not any more."""
        return self._path(turn, "gone").exists()

    def workflows(self) -> set[str]:
        """Of which workflows there is a record that is read: those forgotten are left out."""
        return {path.name.partition(".")[0] for path in self._folder.glob("*.json")}

    def forget_workflow(self, workflow_id: str) -> None:
        """Know of the turns of a workflow only that they were. Raises `OSError`, `ValueError`."""
        for record in list(self.all()):
            if record.turn.workflow_id == workflow_id:
                self.forget(record.turn)
        self.sweep()

    def sweep(self) -> None:
        """Drop what is known of turns that were forgotten long ago."""
        for path in self._folder.glob("*.gone"):
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink(missing_ok=True)

    def _path(self, turn: TurnRef, end: str) -> Path:
        if os.sep in turn.workflow_id or turn.workflow_id.startswith("."):
            raise ValueError(f"{turn.workflow_id!r} is no id of a workflow")
        return self._folder / f"{turn.workflow_id}.{turn.turn_id}.{end}"
