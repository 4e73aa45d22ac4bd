"""Odd users and odd places: each is told in one line, with its exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perles.config import yamlfile
from perles.domain.errors import PerlesError
from perles.engine import single_instance
from perles.executor.local.identity import identify
from tests.integration.cli import Home

pytestmark = pytest.mark.afresh

PERLES = f"{sys.executable} -m perles"
AS_NOBODY = (
    "import os, sys; os.setgroups([]); os.setgid(54321); os.setuid(54321);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.parametrize("args", ["run {file}", "create {file}", "config show"])
def test_a_current_folder_that_was_deleted_is_told(home: Home, args: str) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    told = args.format(file=file)
    done = home.run(["sh", "-c", f"mkdir gone; cd gone; rmdir ../gone; exec {PERLES} {told}"])
    assert (done.returncode, done.stderr) == (
        2,
        "perles: cannot work here: the current folder was deleted; cd to an existing one\n",
    )


def test_what_needs_no_folder_works_in_one_that_was_deleted(home: Home) -> None:
    for verb in ("list", "doctor"):
        done = home.run(["sh", "-c", f"mkdir gone; cd gone; rmdir ../gone; exec {PERLES} {verb}"])
        assert done.returncode in (0, 1), done.stderr
        assert "deleted" not in done.stderr


def test_an_engine_outlives_the_folder_it_was_started_in(home: Home) -> None:
    done = home.run(["sh", "-c", f"mkdir gone; cd gone; {PERLES} serve --detach; rmdir ../gone"])
    assert done.returncode == 0, done.stderr
    assert home.perles("config", "reload").returncode == 0
    path = home.pipeline("p", [{"key": "a", "run": "pwd"}])
    assert home.perles("run", path).returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("named", [{}, {"HOME": ""}])
def test_a_user_without_a_home_is_told_what_to_set(named: dict[str, str], tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CONFIG_HOME")}
    environ = {k: v for k, v in clean.items() if not k.startswith("PERLES_")} | named
    as_nobody = [sys.executable, "-c", AS_NOBODY, sys.executable]
    if subprocess.run([*as_nobody, "-c", "import perles"], capture_output=True, check=False).stderr:
        pytest.skip("this Python lies where other users may not read it")
    argv = [*as_nobody, "-m", "perles"]

    def run(*args: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*argv, *args], env=environ | more, cwd="/", capture_output=True, text=True, check=False
        )

    for args in (["db", "path"], ["list"], ["serve"]):
        done = run(*args)
        assert done.returncode == 7, done.stderr
        assert done.stderr.count("\n") == 1
        assert "set PERLES_HOME" in done.stderr
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, 54321, 54321)
    assert run("db", "path", PERLES_HOME=str(own)).stdout.strip() == str(own / "perles.db")
    assert run("config", "check", PERLES_HOME=str(own)).returncode == 0


def test_an_empty_home_is_no_home() -> None:
    from perles.config.home import user_home

    assert user_home({"HOME": ""}) != Path("/")
    assert user_home({"HOME": "/x"}) == Path("/x")


def test_another_users_engine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_held: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    me = identify(os.getpid())
    assert me is not None
    with pytest.raises(PerlesError, match=f"pid {me.pid} is another user's"):
        single_instance.send(me, signal.SIGTERM)


@pytest.mark.parametrize("name", ["👩‍💻 build", "日本語　テスト", "نام‌ها"])
def test_a_file_can_name_what_an_option_can(home: Home, name: str) -> None:
    path = home.work / "p.yaml"
    path.write_text(f'name: "{name}"\ntasks: [{{key: a, run: "true", name: "{name}"}}]\n')
    id = home.perles("create", path).stdout.strip()
    assert home.json("show", id, "--json")["name"] == name


@pytest.mark.parametrize("letter", ["\x07", "\u2028", "\u2029"])
def test_neither_can_name_what_would_end_a_line(home: Home, letter: str) -> None:
    path = home.work / "p.yaml"
    path.write_text(f'name: "a\\u{ord(letter):04x}b"\ntasks: [{{key: a, run: "true"}}]\n')
    assert home.perles("create", path).returncode == 2
    plain = home.pipeline("q", [{"key": "a", "run": "true"}])
    assert home.perles("create", plain, "--name", f"a{letter}b").returncode == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "\\ud83d\\ude00"}', "😀"),
        ('{"a": "\\\\\\ud83d\\ude00"}', "\\😀"),
        ('{"a": "\\\\ud83d\\\\ude00"}', "\\ud83d\\ude00"),
        ("a: '\\ud83d\\ude00'", "\\ud83d\\ude00"),
        ("a: \\ud83d\\ude00", "\\ud83d\\ude00"),
    ],
)
def test_json_may_write_a_letter_as_a_pair(text: str, expected: str) -> None:
    assert yamlfile.parse(text, "x").mapping()["a"].text() == expected


def test_the_originals_own_configuration_is_accepted(home: Home) -> None:
    file = home.work / "c.yaml"
    for preset in ("dracula", "nord", "gruvbox", "catppuccin-mocha", "catppuccin-latte"):
        file.write_text(f"auto_refresh: true\ntheme: {{preset: {preset}}}\n")
        checked = home.perles("--config", file, "config", "check")
        assert checked.returncode == 0, checked.stderr
        assert "auto_refresh has no effect" in checked.stderr
