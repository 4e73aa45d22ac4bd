"""Which database: by a variable, else by the user's own file, and never told with a password."""

from pathlib import Path

import pytest

from perles.config import load
from perles.domain.errors import UsageError
from perles.store import place


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file."""
    for name in ("PERLES_DATABASE", "PERLES_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "perles" / "config.yaml"
    file.parent.mkdir()
    return file


def test_the_file_in_the_home_is_the_default(own: Path) -> None:
    assert place.url_of("/home/perles.db") is None
    assert load.load().database.database == "sqlite"


def test_the_users_own_file_names_a_server(own: Path) -> None:
    own.write_text("database: postgresql://me:hidden@db/perles?sslmode=require\n")

    assert place.url_of("/home/perles.db") == "postgresql://me:hidden@db/perles?sslmode=require"
    assert place.url_of("/home/backups/perles-1.db") is None
    assert place.shown("/home/perles.db") == "postgresql://me@db/perles"
    assert "hidden" not in str(load.explain())
    assert load.load().database.database == "postgresql://me@db/perles"


def test_a_variable_is_over_the_file(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_text("database: postgresql://me@db/perles\n")
    monkeypatch.setenv("PERLES_DATABASE", "sqlite")

    assert place.url_of("/home/perles.db") is None
    assert load.load().database.database == "sqlite"


def test_a_repository_names_none(own: Path, tmp_path: Path) -> None:
    (tmp_path / ".perles").mkdir()
    (tmp_path / ".perles" / "config.yaml").write_text("database: postgresql://evil@db/x\n")

    assert place.url_of("/home/perles.db") is None
    assert load.load(work_dir=tmp_path, home=tmp_path).database.database == "sqlite"


def test_what_is_no_database_is_refused_without_a_word_of_it(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERLES_DATABASE", "mysql://me:hidden@db/x")

    with pytest.raises(UsageError, match="PERLES_DATABASE") as caught:
        place.url_of("/home/perles.db")
    assert "hidden" not in str(caught.value)
