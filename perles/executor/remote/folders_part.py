"""The part of a node that has work dirs: `replica.far` there, asked as `replica.sync` wants it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from perles.executor.contract import NO_ROOM
from perles.executor.remote.errors import NodeError
from perles.executor.remote.part import Ask, Operation, Operations, encode
from perles.workspace.git import GitError
from perles.workspace.replica import bundles, probe
from perles.workspace.replica.far import FarFolders, Order, Place, Published
from perles.workspace.replica.parcels import Parcel
from perles.workspace.replica.snapshot import DiskFullError, ReplicaError

PART: Final = "folders"

_OPERATIONS: Final = Operations(
    PART,
    {
        "all": Operation(tuple[()], list[str]),
        "has": Operation(tuple[str], bool),
        "where": Operation(tuple[str], str),
        "agent_folder": Operation(tuple[str, str], str),
        "have": Operation(tuple[str], list[str]),
        "put": Operation(tuple[Parcel, int, bytes], int),
        "take": Operation(tuple[str, int], bytes),
        "drop": Operation(tuple[str], None),
        "refresh": Operation(tuple[Order], Place),
        "publish": Operation(tuple[str, str, int, list[str]], Published),
        "gather": Operation(tuple[str, list[str], int], Parcel | None),
        "forget": Operation(tuple[str], None),
        "probe": Operation(tuple[str, str], tuple[str, str, str]),
        "unprobe": Operation(tuple[str, str], None),
    },
)
_AT_ONCE: Final = frozenset({"put", "take", "drop"})
"""What need not wait until git has ended."""


class FoldersPart:
    """On the node: git runs in threads, one at a time."""

    def __init__(self, folders: FarFolders) -> None:
        parcels = folders.parcels
        self._git = asyncio.Lock()
        self._calls: dict[str, Callable[..., Any]] = {
            "all": folders.all,
            "has": folders.has,
            "where": lambda workflow_id: str(folders.work_dir(workflow_id)),
            "agent_folder": folders.agent_folder,
            "have": folders.have,
            "put": parcels.put,
            "take": parcels.take,
            "drop": parcels.drop,
            "refresh": folders.refresh,
            "publish": folders.publish,
            "gather": folders.gather,
            "forget": folders.forget,
            "probe": _probe,
            "unprobe": lambda folder, name: probe.remove(Path(folder), name),
        }

    async def handle(self, op: str, body: bytes) -> bytes:
        """Carry out one request; what goes wrong is answered in words."""
        args = _OPERATIONS.args(op, body)
        try:
            if op in _AT_ONCE:
                found = await asyncio.to_thread(self._calls[op], *args)
            else:
                async with self._git:
                    found = await asyncio.to_thread(self._calls[op], *args)
        except (GitError, OSError) as error:
            raise NodeError("full" if _is_full(error) else "failed", str(error)) from error
        return encode(found)


def _is_full(error: Exception) -> bool:
    """Whether there was no room: git tells that in the words of the system."""
    if isinstance(error, DiskFullError):
        return True
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return any(os.strerror(number) in str(error) for number in NO_ROOM)


def _probe(folder: str, name: str) -> tuple[str, str, str]:
    """What the engine's file holds, as it shows here, and a file of ours with its text."""
    place = Path(folder)
    seen = probe.read(place, name)
    return (seen, *probe.write(place)) if seen else ("", "", "")


class RemoteFolders:
    """The work dirs of one node, as the engine asks for them: a `sync.Far`.

    What the node says of git or its disk is raised as `ReplicaError`, as `DiskFullError` where it
    has no room; else `NodeError`.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def _call(self, op: str, *args: object, wait: float = 0.0) -> Any:
        try:
            return await _OPERATIONS.call(self._ask, op, *args, wait=wait)
        except NodeError as error:
            if error.kind == "full":
                raise DiskFullError(str(error)) from error
            if error.kind == "failed":
                raise ReplicaError(str(error)) from error
            raise

    async def all(self) -> list[str]:
        """The workflows that have a folder there."""
        found: list[str] = await self._call("all")
        return found

    async def has(self, workflow_id: str) -> bool:
        """Whether the workflow has a folder there."""
        return bool(await self._call("has", workflow_id))

    async def where(self, workflow_id: str) -> str:
        """Where the workflow's folder is there, or will be."""
        return str(await self._call("where", workflow_id))

    async def agent_folder(self, workflow_id: str, agent: str) -> str:
        """The folder of an agent's own files there."""
        return str(await self._call("agent_folder", workflow_id, agent))

    async def have(self, repository: str) -> list[str]:
        """The commits that it has of a repository."""
        found: list[str] = await self._call("have", repository)
        return found

    async def put(self, parcel: Parcel, offset: int, piece: bytes) -> int:
        """Give it a piece; from where it wants the next."""
        return int(await self._call("put", parcel, offset, piece))

    async def take(self, name: str, offset: int) -> bytes:
        """A piece of a parcel of its."""
        return bytes(await self._call("take", name, offset))

    async def drop(self, name: str) -> None:
        """That parcel is here, or needed no more."""
        await self._call("drop", name)

    async def refresh(self, order: Order) -> Place:
        """Have it make or renew a workflow's folder."""
        found: Place = await self._call("refresh", order, wait=bundles.SECONDS)
        return found

    async def publish(
        self, workflow_id: str, task: str, turn_id: int, have: Sequence[str]
    ) -> Published:
        """Have it commit what a turn left."""
        args = (workflow_id, task, turn_id, list(have))
        found: Published = await self._call("publish", *args, wait=bundles.SECONDS)
        return found

    async def gather(self, workflow_id: str, patterns: Sequence[str], most: int) -> Parcel | None:
        """Have it pack files that git ignores."""
        args = (workflow_id, list(patterns), most)
        found: Parcel | None = await self._call("gather", *args, wait=bundles.SECONDS)
        return found

    async def forget(self, workflow_id: str) -> None:
        """Have it remove a workflow's folder."""
        await self._call("forget", workflow_id, wait=bundles.SECONDS)

    async def need_shared(self, folder: Path) -> None:
        """See that the node has this very folder. Raises `ReplicaError` where it has not."""
        try:
            name, text = await asyncio.to_thread(probe.write, folder)
        except OSError as error:
            raise ReplicaError(f"cannot write into {folder}: {error.strerror}") from error
        theirs = ""
        try:
            seen, theirs, answer = await self._call(
                "probe", str(folder), name, wait=2 * probe.SECONDS
            )
            back = await asyncio.to_thread(probe.read, folder, theirs) if seen == text else ""
            if not back or back != answer:
                raise ReplicaError(
                    f"{folder} is not the same folder on this machine and on the node; share it, "
                    "or set cluster.workspace to git"
                )
        finally:
            probe.remove(folder, name)
            if theirs:
                await self._call("unprobe", str(folder), theirs)
