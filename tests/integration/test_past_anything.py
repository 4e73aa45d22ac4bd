"""Upkeep, homes, repositories and templates that are made to get in the way."""

import os
import subprocess
from pathlib import Path

import pytest

from perles.access.origin import Origin
from perles.domain.commands import Stop
from perles.domain.errors import DatabaseError, UsageError
from perles.domain.text import clean, settled
from perles.maintenance.backup import backup
from perles.store import migrate
from perles.store.database import Database
from perles.store.schema.workflows import Workflow
from perles.templates.render import render
from perles.workflows.commands import append_command
from perles.workspace.removal import remove_tree
from perles.workspace.worktree import unmerged


def test_a_folder_of_any_depth_is_removed_and_no_link_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    top = tmp_path / "top"
    top.mkdir()
    (top / ".removed-0").mkdir()
    (top / "link").symlink_to(outside)
    (top / os.fsdecode(b"\xff\n")).write_text("x")
    at = os.open(top, os.O_RDONLY)
    for _ in range(1_600):
        os.mkdir("down", dir_fd=at)
        below = os.open("down", os.O_RDONLY, dir_fd=at)
        os.symlink(outside, "link", dir_fd=below)
        os.close(at)
        at = below
    os.fchmod(at, 0)
    os.close(at)

    remove_tree(top)

    assert (top.exists(), (outside / "kept").read_text()) == (False, "x")


@pytest.mark.parametrize("name", ["a?mode=ro", "50%41", "a#b", "%", "a b&c"])
def test_a_home_of_any_name_has_its_database_in_it_private(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    path = home / "perles.db"

    migrate.ensure(path)
    database = Database(path)
    database.write(lambda _tx: None)
    database.dispose()

    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("letters", [250, 5_000])
def test_a_backup_of_a_name_too_long_is_refused_in_a_line(tmp_path: Path, letters: int) -> None:
    source = tmp_path / "perles.db"
    migrate.ensure(source)
    target = tmp_path / ("x" * letters)

    if letters < 255:
        backup(source, target)
        assert target.exists()
        return
    with pytest.raises(DatabaseError, match="name too long"):
        backup(source, target)


@pytest.mark.parametrize("grace", [float("inf"), float("nan"), -1.0, 1e300])
def test_a_grace_that_is_no_time_is_refused_before_it_is_queued(
    tmp_path: Path, grace: float
) -> None:
    path = tmp_path / "perles.db"
    migrate.ensure(path)
    database = Database(path)
    about = {"template_id": "t", "name": "n", "state": "running", "work_dir": "/"}
    database.write(lambda tx: tx.insert(Workflow, id="wf-1", **about))
    with pytest.raises(UsageError, match="grace"):
        database.write(
            lambda tx: append_command(tx, "wf-1", Stop(grace=grace), Origin(0, 1, None, None))
        )
    database.dispose()


def _git(folder: Path, *args: str) -> None:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b"}
    committer = {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environ = {**os.environ, **who, **committer, "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", *args], cwd=folder, env=environ, check=True, capture_output=True)


@pytest.mark.parametrize("name", ["evil", "a=b", "with.dots"])
@pytest.mark.parametrize("what", ["clean", "process"])
def test_looking_at_a_worktree_starts_no_program_of_its_repository(
    tmp_path: Path, name: str, what: str
) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    _git(repo, "init", "-q", "-b", "main")
    (repo / "file").write_text("one\n")
    _git(repo, "add", ".")
    _git(repo, "commit", "-qm", "one")
    (repo / ".git" / "info" / "attributes").write_text(f"* filter={name}\n")
    ran = tmp_path / "ran"
    with (repo / ".git" / "config").open("a") as config:
        config.write(f'[filter "{name}"]\n\t{what} = "touch {ran}; cat"\n\trequired = true\n')
        config.write(f'[core]\n\tfsmonitor = "touch {ran}"\n')
    os.utime(repo / "file", (1, 1))

    said = unmerged(repo)

    assert not ran.exists()
    assert said is None or "git cannot tell" not in said


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(9) recursive %}{{ loop(range(9)) if loop.depth < 99 }}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(99) }}",
        "{{ 'x' * 10**9 }}",
        "{{ 10 ** 99999 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ 'x'|center(10**9) }}",
        "{{ 'x'.ljust(10**9) }}",
        "{% set a = 'x' * 1000000 %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% for i in range(99999) %}" + "x" * 40 + "{% endfor %}",
        "{{ [range(90000)|list] * 5000 }}",
    ],
)
def test_no_template_keeps_us_busy_or_fills_the_memory(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perles.templates.bounds.MAX_STEPS", 20_000)

    with pytest.raises(UsageError, match="cannot render here"):
        render(text, {}, source="here")


def test_what_templates_do_commonly_they_may_go_on_doing() -> None:
    text = (
        "{% for n in names %}{{ loop.index }}/{{ loop.length }} {{ n|upper }}{{ ', ' if not "
        "loop.last }}{% endfor %} {{ 'a' ~ 1 }} {{ 12345678|string }} {{ '%d'|format(99999999) }}"
        " {{ '{:>3}'.format('x') }} {{ 2 ** 10 }} {{ '-' * 3 }}"
    )

    shown = render(text, {"names": ["a", "b"]}, source="here")

    assert shown == "1/2 A, 2/2 B a1 12345678 99999999   x 1024 ---"


def test_many_lines_at_once_read_as_each_by_itself() -> None:
    lines = [
        "10%\r50%\r100%\r",
        "a\rb",
        "\x1b]0;a title that does not end",
        "\x1b[31mred\x1b[0m\tx",
        "",
        "plain",
        "\r",
        "\x1bPq\x9b\u202e",
    ]
    apart = [clean(settled(line), lines=True) for line in lines]

    assert clean(settled("\n".join(lines)), lines=True).split("\n") == apart
