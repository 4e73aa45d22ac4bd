"""The engine's side of a work dir on a node: sent before a turn, and brought back after it."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from perles.workspace.git import ask, filters, git
from perles.workspace.refs import common_dir, delete_ref, refs_below, set_ref
from perles.workspace.replica import bundles, extras, names
from perles.workspace.replica.far import Order, Place, Published, need_git
from perles.workspace.replica.joining import Joined, Theirs, join
from perles.workspace.replica.parcels import PIECE, Parcel, Parcels
from perles.workspace.replica.snapshot import ReplicaError, Snapshot, take
from perles.workspace.repository import commit_of


class Far(Protocol):
    """What a node is asked, `FarFolders` and its parcels. Each may be asked again.

    All raise `ReplicaError` in words of the node, and what its channel raises.
    """

    def have(self, repository: str) -> Awaitable[list[str]]:
        """The commits that it has of a repository."""

    def put(self, parcel: Parcel, offset: int, piece: bytes) -> Awaitable[int]:
        """Give it a piece; from where it wants the next."""

    def refresh(self, order: Order) -> Awaitable[Place]:
        """Have it make or renew a workflow's folder."""

    def publish(
        self, workflow_id: str, task: str, turn_id: int, have: Sequence[str]
    ) -> Awaitable[Published]:
        """Have it commit what a turn left."""

    def gather(
        self, workflow_id: str, patterns: Sequence[str], most: int
    ) -> Awaitable[Parcel | None]:
        """Have it pack files that git ignores."""

    def take(self, name: str, offset: int) -> Awaitable[bytes]:
        """A piece of a parcel of its."""

    def drop(self, name: str) -> Awaitable[None]:
        """That parcel is here, or needed no more."""


class Shared(NamedTuple):
    """A workflow's work dir here, and the node that has one too. `brought` is not part of it."""

    folder: Path
    workflow_id: str
    node: str
    brought: Sequence[str] = ()


class Returned(NamedTuple):
    """What a turn left is at `ref`. `conflicts` are files that kept it out of the work dir."""

    ref: str
    commit: str
    conflicts: Sequence[str] = ()


async def send(shared: Shared, far: Far, parcels: Parcels) -> Place:
    """Have the node's folder be as the work dir is here; where it is there.

    Raises `GitError` in words, and what the node's channel raises: then it can be done again.
    """
    snapshot, order = await asyncio.to_thread(_order, shared)
    sent = names.sent_ref(shared.workflow_id, shared.node)
    have = await far.have(order.repository)
    parcel = await asyncio.to_thread(_packed, shared.folder, sent, have, parcels)
    if parcel is not None:
        await _put(far, parcels, parcel)
    place = await far.refresh(order._replace(parcel=parcel))
    if parcel is not None:
        parcels.drop(parcel.name)
    if not place.conflicts:
        base = names.base_ref(shared.workflow_id, shared.node)
        await asyncio.to_thread(set_ref, shared.folder, base, snapshot.commit)
    return place


def owe(shared: Shared, turn_id: int) -> None:
    """Note that a turn begins on the node: its work is to come back. Blocks, raises `GitError`."""
    ref = names.turns_ref(shared.workflow_id, shared.node) + str(turn_id)
    set_ref(shared.folder, ref, git(shared.folder, "rev-parse", "HEAD^{commit}"))


def owed(shared: Shared) -> list[int]:
    """The turns whose work is on the node, and not here. Blocks, raises `GitError`."""
    below = names.turns_ref(shared.workflow_id, shared.node)
    numbers = (ref.removeprefix(below) for ref in refs_below(shared.folder, below))
    return sorted(int(number) for number in numbers if number.isdigit())


def settle(shared: Shared, turn_id: int) -> None:
    """The work of a turn is here. Blocks, raises `GitError`."""
    ref = names.turns_ref(shared.workflow_id, shared.node) + str(turn_id)
    delete_ref(shared.folder, ref)


def forget(shared: Shared) -> None:
    """The node has no folder any more: nothing is known of it. Blocks, raises `GitError`."""
    for ref in (names.sent_ref, names.base_ref):
        delete_ref(shared.folder, ref(shared.workflow_id, shared.node))


async def bring(
    shared: Shared,
    far: Far,
    parcels: Parcels,
    *,
    task: str,
    turn_id: int,
    counts: bool = True,
) -> Returned:
    """Bring what the turn left to its ref, and, where it `counts`, into the work dir.

    Raises `GitError` in words, and what the node's channel raises: then it can be done again.
    """
    have = await asyncio.to_thread(_have, shared)
    found = await far.publish(shared.workflow_id, task, turn_id, have)
    if found.parcel is not None:
        await _fetch(far, parcels, found.parcel)
    returned, joined = await asyncio.to_thread(
        _land, shared, parcels, found, names.work_ref(shared.workflow_id, task, turn_id), counts
    )
    if found.parcel is not None:
        parcels.drop(found.parcel.name)
        await far.drop(found.parcel.name)
    return returned if joined is None else returned._replace(conflicts=joined.conflicts)


async def bring_ignored(
    shared: Shared, far: Far, parcels: Parcels, *, patterns: Sequence[str], most: int
) -> list[str]:
    """Bring the files that fit and that git ignores into the work dir; their paths.

    Raises `GitError` in words, `OSError`, and what the node's channel raises.
    """
    parcel = await far.gather(shared.workflow_id, patterns, most)
    if parcel is None:
        return []
    await _fetch(far, parcels, parcel)
    archive = await asyncio.to_thread(parcels.whole, parcel)
    found = await asyncio.to_thread(extras.unpack, archive, shared.folder, most)
    parcels.drop(parcel.name)
    await far.drop(parcel.name)
    return found


def _order(shared: Shared) -> tuple[Snapshot, Order]:
    need_git()
    folder = shared.folder
    _check(folder)
    snapshot = take(folder, shared.brought)
    set_ref(folder, names.sent_ref(shared.workflow_id, shared.node), snapshot.commit)
    common = common_dir(folder)
    who = tuple(ask(folder, "config", "--get", key).out.strip() for key in _WHO)
    order = Order(
        workflow_id=shared.workflow_id,
        repository=hashlib.sha256(os.path.realpath(common).encode()).hexdigest()[:20],
        kind=git(folder, "rev-parse", "--show-object-format"),
        branch=snapshot.branch,
        head=snapshot.head,
        commit=snapshot.commit,
        base=commit_of(folder, names.base_ref(shared.workflow_id, shared.node)),
        who=(who[0], who[1]),
        parcel=None,
    )
    return snapshot, order


_WHO = ("user.name", "user.email")


def _check(folder: Path) -> None:
    """Raise `GitError` where git cannot carry all that the folder is."""
    top = git(folder, "rev-parse", "--show-toplevel")
    if os.path.realpath(top) != os.path.realpath(folder):
        raise ReplicaError(f"{folder} is not the top of its repository {top}")
    if git(folder, "rev-parse", "--is-shallow-repository") == "true":
        raise ReplicaError(f"{folder} is a shallow clone; git fetch --unshallow makes it whole")
    if filters(folder):
        how = ("grep", "--quiet", "-e", "filter=", "HEAD", "--", "*.gitattributes")
        if ask(folder, *how).code == 0:
            raise ReplicaError(f"{folder} has files that a filter of git makes (as git-lfs does)")


def _packed(folder: Path, ref: str, have: Sequence[str], parcels: Parcels) -> Parcel | None:
    with parcels.making() as scratch:
        bundle = scratch / "bundle"
        return parcels.sealed(bundle) if bundles.pack(folder, ref, have, bundle) else None


async def _put(far: Far, parcels: Parcels, parcel: Parcel) -> None:
    """Send a parcel, from where the node has it."""
    offset = await far.put(parcel, 0, b"")
    while offset < parcel.size:
        piece = await asyncio.to_thread(parcels.take, parcel.name, offset, PIECE)
        offset = await far.put(parcel, offset, piece)


async def _fetch(far: Far, parcels: Parcels, parcel: Parcel) -> None:
    """Fetch a parcel, from where it is here."""
    offset = parcels.size(parcel.name)
    while offset < parcel.size:
        piece = await far.take(parcel.name, offset)
        if not piece:
            return  # it is cut; its reader says so
        offset = await asyncio.to_thread(parcels.put, parcel, offset, piece)


def _have(shared: Shared) -> list[str]:
    refs = (names.base_ref, names.sent_ref)
    found = [commit_of(shared.folder, ref(shared.workflow_id, shared.node)) for ref in refs]
    found.append(commit_of(shared.folder, "HEAD"))
    return list(dict.fromkeys(commit for commit in found if commit))


def _land(
    shared: Shared, parcels: Parcels, found: Published, ref: str, counts: bool
) -> tuple[Returned, Joined | None]:
    folder = shared.folder
    if found.parcel is not None:
        bundles.unpack(folder, parcels.whole(found.parcel), found.commit)
    bundles.need_commit(folder, found.commit)
    set_ref(folder, ref, found.commit)
    if not counts:
        return Returned(ref, found.commit), None
    base = names.base_ref(shared.workflow_id, shared.node)
    theirs = Theirs(found.head, found.commit)
    joined = join(folder, theirs, commit_of(folder, base), shared.brought)
    if not joined.conflicts:
        set_ref(folder, base, found.commit)
    return Returned(ref, found.commit), joined
