"""On a network file system the database is refused, on a local disk it is not."""

from pathlib import Path

import pytest

from perles.domain.errors import DatabaseError
from perles.store.sqlite.filesystem import mount_of, refuse_network

MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:30 / /home/ann rw,relatime shared:5 - nfs4 server:/export rw
31 30 8:2 / /home/ann/local\\040disk rw - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("/srv/perles.db", "ext4"),
        ("/home/ann/.perles/perles.db", "nfs4"),
        ("/home/ann/local disk/perles.db", "xfs"),
        ("/home/annabel/perles.db", "ext4"),
    ],
)
def test_the_innermost_mount_counts(path: str, type: str) -> None:
    found = mount_of(Path(path), MOUNTS)

    assert found is not None
    assert found.type == type


def test_a_network_file_system_is_refused_with_its_name() -> None:
    with pytest.raises(DatabaseError, match=r"network file system \(nfs4\).*PERLES_HOME"):
        refuse_network(Path("/home/ann/.perles/perles.db"), MOUNTS)


def test_a_local_disk_is_not_refused(tmp_path: Path) -> None:
    refuse_network(Path("/srv/perles.db"), MOUNTS)
    refuse_network(tmp_path / "perles.db")
