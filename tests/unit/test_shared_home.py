"""A home folder that another user could change is refused, as ssh does with its own."""

import os
from pathlib import Path

import pytest

from perles.config.home import Paths, shared
from perles.domain.errors import DatabaseError


def _home(tmp_path: Path, mode: int, above: int = 0o755) -> Path:
    folder = tmp_path / "above"
    home = folder / "home"
    home.mkdir(parents=True)
    home.chmod(mode)
    folder.chmod(above)
    return home


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702, 0o1777])
def test_a_home_that_others_may_write_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    home = _home(tmp_path, mode)

    with pytest.raises(DatabaseError, match=f"chmod go-w {home}"):
        Paths(home).ensure_home()


def test_a_home_that_others_may_replace_is_refused(tmp_path: Path) -> None:
    home = _home(tmp_path, 0o700, above=0o777)

    with pytest.raises(DatabaseError, match=f"chmod o-w {home.parent}"):
        Paths(home).ensure_home()


def test_a_link_to_a_home_that_others_may_replace_is_refused(tmp_path: Path) -> None:
    home = _home(tmp_path, 0o700, above=0o777)
    link = tmp_path / "link"
    link.symlink_to(home)

    with pytest.raises(DatabaseError, match="others may replace it"):
        Paths(link).ensure_home()


@pytest.mark.parametrize(
    ("mode", "above"), [(0o700, 0o755), (0o755, 0o755), (0o700, 0o1777), (0o700, 0o775)]
)
def test_a_home_that_is_the_users_own_is_taken(tmp_path: Path, mode: int, above: int) -> None:
    Paths(_home(tmp_path, mode, above)).ensure_home()


@pytest.mark.skipif(os.getuid() != 0, reason="gives a folder away")
def test_a_home_of_another_user_is_refused(tmp_path: Path) -> None:
    home = _home(tmp_path, 0o700)
    os.chown(home, 1234, 1234)

    assert "belongs to uid 1234" in (shared(home) or "")


def test_a_folder_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    assert shared(tmp_path / "no") is None
