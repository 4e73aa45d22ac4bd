"""The work dirs on a node: each workflow has a repository of its own there, and all share objects.

What the engine sends lands in a cache of objects, one for each repository of the user's; the
work dirs take theirs from it. All of it blocks, and may be asked twice.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.workspace.git import ask, git, need
from perles.workspace.refs import set_ref
from perles.workspace.removal import remove_tree
from perles.workspace.replica import bundles, extras, names
from perles.workspace.replica.joining import Theirs, join
from perles.workspace.replica.parcels import Parcel, Parcels
from perles.workspace.replica.snapshot import ReplicaError, take

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


SESSIONS: Final = "sessions"
"""Where on a node its agents have their own folders."""


class Order(NamedTuple):
    """How a workflow's folder is to be on the node.

    `repository` names the cache, `kind` its object format. `head` is to be checked out, on
    `branch` where there is one, and the files are to be those of `commit`. `base` is what both
    sides had before. `who` are a name and an address for commits, "" where the user has none.
    """

    workflow_id: str
    repository: str
    kind: str
    branch: str | None
    head: str
    commit: str
    base: str | None
    who: tuple[str, str]
    parcel: Parcel | None


class Place(NamedTuple):
    """Where it is. `conflicts` are files that were changed on the node, too: it is as it was."""

    path: str
    conflicts: Sequence[str] = ()


class Published(NamedTuple):
    """What a turn left, as `Theirs`; `parcel` has what the engine does not, None for nothing."""

    head: str
    commit: str
    parcel: Parcel | None


class FarFolders:
    """The work dirs and caches of a node below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.parcels = Parcels(folder / "parcels")

    def work_dir(self, workflow_id: str) -> Path:
        """Where the workflow's folder is, or will be."""
        return self._folder / "work" / _plain(workflow_id)

    def has(self, workflow_id: str) -> bool:
        """Whether the workflow has a folder here."""
        return (self.work_dir(workflow_id) / ".git").is_dir()

    def agent_folder(self, workflow_id: str, agent: str) -> str:
        """The folder of an agent's own files, made private where it is missing."""
        folder = self._folder / SESSIONS / _plain(workflow_id) / _plain(agent)
        for level in (folder.parent.parent, folder.parent, folder):
            level.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder)

    def all(self) -> list[str]:
        """The workflows that have a folder here."""
        work = self._folder / "work"
        names = os.listdir(work) if work.is_dir() else []
        return sorted(name for name in names if not name.startswith("making-"))

    def have(self, repository: str) -> list[str]:
        """The newest commits that are in a cache. Raises `GitError`."""
        need_git()
        cache = self._cache(repository)
        if not cache.is_dir():
            return []
        listed = ("for-each-ref", "--sort=-creatordate", f"--count={bundles.MAX_HAVE}")
        return git(cache, *listed, "--format=%(objectname)", "refs/have/").split()

    def refresh(self, order: Order) -> Place:
        """Make the workflow's folder, or bring it up to date. Raises `GitError`."""
        need_git()
        cache = self._made_cache(order)
        if order.parcel is not None:
            bundles.unpack(cache, self.parcels.whole(order.parcel), order.commit)
        bundles.need_commit(cache, order.commit)
        set_ref(cache, f"refs/have/{order.commit}", order.commit)
        if order.parcel is not None:
            self.parcels.drop(order.parcel.name)
        place = self.work_dir(order.workflow_id)
        if not (place / ".git").is_dir():
            self._make(order, cache, place)
            return Place(str(place))
        joined = join(place, Theirs(order.head, order.commit), order.base)
        return Place(str(place), list(joined.conflicts))

    def publish(self, workflow_id: str, task: str, turn_id: int, have: Sequence[str]) -> Published:
        """Commit what the folder has now to the turn's ref, and pack it. Raises `GitError`."""
        need_git()
        place = self.work_dir(workflow_id)
        if not (place / ".git").is_dir():
            raise ReplicaError(f"{place} is no git repository any more")
        now, ref = take(place), names.work_ref(workflow_id, task, turn_id)
        set_ref(place, ref, now.commit)
        with self.parcels.making() as scratch:
            bundle = scratch / "bundle"
            if not bundles.pack(place, ref, have, bundle):
                return Published(now.head, now.commit, None)
            self._keep_in_cache(place, bundle, now.commit)
            return Published(now.head, now.commit, self.parcels.sealed(bundle))

    def gather(self, workflow_id: str, patterns: Sequence[str], most: int) -> Parcel | None:
        """Pack the files that fit and that git ignores, `most` bytes at most; None for none.

        Raises `GitError`, `OSError`.
        """
        with self.parcels.making() as scratch:
            archive = scratch / "files"
            if not extras.pack(self.work_dir(workflow_id), patterns, archive, most):
                return None
            return self.parcels.sealed(archive)

    def forget(self, workflow_id: str) -> None:
        """Remove a workflow's folder. Raises `OSError`."""
        place = self.work_dir(workflow_id)
        if place.is_dir() and not place.is_symlink():
            remove_tree(place)

    def _cache(self, repository: str) -> Path:
        return self._folder / "objects" / f"{_plain(repository)}.git"

    def _made_cache(self, order: Order) -> Path:
        cache = self._cache(order.repository)
        if not cache.is_dir():
            cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="making-", dir=cache.parent) as scratch:
                made = Path(scratch) / "made"
                how = ("--bare", "--quiet", "--template=", f"--object-format={order.kind}")
                need(cache.parent, "init", *how, str(made))
                made.rename(cache)
        return cache

    def _make(self, order: Order, cache: Path, place: Path) -> None:
        """Make the folder beside its place, so that it is there whole, or not at all."""
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.exists():
            raise ReplicaError(f"{place} is no git repository any more; save what is in it")
        made = Path(tempfile.mkdtemp(prefix="making-", dir=place.parent))
        try:
            branch = order.branch or "perles"
            how = ("--quiet", "--template=", f"--object-format={order.kind}")
            need(made, "init", *how, f"--initial-branch={branch}", ".")
            (made / ".git/objects/info").mkdir(parents=True, exist_ok=True)
            (made / ".git/objects/info/alternates").write_text(f"{cache / 'objects'}\n")
            (made / ".git/perles-cache").write_text(order.repository)
            for key, value in zip(("user.name", "user.email"), order.who, strict=True):
                if value:
                    need(made, "config", "--local", key, value)
            if order.branch is None:
                need(made, "update-ref", "--no-deref", "HEAD", order.head)
            else:
                need(made, "update-ref", f"refs/heads/{order.branch}", order.head)
            need(made, "read-tree", "--reset", "-u", order.commit, seconds=bundles.SECONDS)
            need(made, "read-tree", "--reset", order.head)
            ask(made, "update-index", "-q", "--refresh")
            made.rename(place)
        except BaseException:
            remove_tree(made)
            raise

    def _keep_in_cache(self, place: Path, bundle: Path, commit: str) -> None:
        """What was made here need not come back from the engine."""
        try:
            cache = self._cache((place / ".git/perles-cache").read_text())
        except (OSError, ReplicaError):
            return  # an agent removed the note of ours: it comes back, that is all
        if cache.is_dir():
            bundles.unpack(cache, bundle, commit)
            set_ref(cache, f"refs/have/{commit}", commit)


def need_git() -> None:
    """Raises `ReplicaError` where there is no git."""
    if shutil.which("git") is None:
        raise ReplicaError("git is not installed on this machine")


def _plain(name: str) -> str:
    if not name or name.startswith("-") or not _PLAIN.issuperset(name):
        raise ReplicaError(f"{name[:60]!r} is no name for a folder")
    return name
