"""Which file system a folder is on: SQLite's WAL needs memory that a network cannot share."""

import os
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.errors import DatabaseError

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs"}
    | {"beegfs", "ocfs2", "gfs2", "virtiofs", "vboxsf", "davfs", "fuse.sshfs", "fuse.s3fs"}
    | {"fuse.rclone", "fuse.glusterfs", "fuse.cephfs", "fuse.davfs2"}
)
_MOUNTS: Final = "/proc/self/mountinfo"


class Mount(NamedTuple):
    """A mounted file system."""

    point: str
    type: str


def mount_of(path: Path, mounts: str | None = None) -> Mount | None:
    """The mount that `path` lies on; `mounts` stands for the system's own list, for tests."""
    target = os.path.realpath(path)
    best: Mount | None = None
    for line in (_read_mounts() if mounts is None else mounts).splitlines():
        fields = line.split(" ")
        if "-" not in fields:
            continue
        point = fields[4].encode().decode("unicode_escape")  # a blank stands there as \040
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and (best is None or len(point) >= len(best.point)):
            best = Mount(point, fields[fields.index("-") + 1])
    return best


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """Raise `DatabaseError` where the database at `path` would lie on a network file system."""
    mount = mount_of(path, mounts)
    if mount is not None and mount.type in NETWORK:
        raise DatabaseError(
            f"cannot use database {path}: {mount.point} is a network file system ({mount.type}), "
            "where SQLite cannot keep it safe; set PERLES_HOME to a folder on a local disk"
        )


def _read_mounts() -> str:
    try:
        return Path(_MOUNTS).read_text(errors="replace")
    except FileNotFoundError:
        return ""  # not Linux: nobody knows
