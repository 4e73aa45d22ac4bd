"""Standard output that is closed, full, left by its reader, or not UTF-8."""

import subprocess
from pathlib import Path

import pytest

from tests.integration.cli import Home

ONE = [{"key": "a", "run": "seq 1 3"}]


def _shell(home: Home, line: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `"$@"` is perles with these arguments."""
    return home.run(["bash", "-c", line, "bash", *home.argv(*args)])


@pytest.mark.parametrize("args", [["list"], ["templates", "list"]], ids=["short way", "typer"])
def test_a_closed_output_is_nowhere(home: Home, args: list[str]) -> None:
    home.perles("create", home.pipeline("ok", ONE))

    result = _shell(home, '"$@" <&- >&- 2>&-', *args)

    assert (result.returncode, result.stderr) == (0, "")
    assert not (home.root / "crash.log").exists()


@pytest.mark.parametrize("args", [["list"], ["templates", "list"]], ids=["short way", "typer"])
def test_a_full_output_is_told_in_a_line(home: Home, args: list[str]) -> None:
    home.perles("create", home.pipeline("ok", ONE))

    result = _shell(home, '"$@" >/dev/full', *args)

    assert result.returncode == 1
    assert result.stderr == "perles: cannot write: No space left on device; make room there\n"


@pytest.mark.parametrize("args", [["events", "--since", "0"], ["--help"]])
def test_head_gets_its_line_and_nothing_complains(home: Home, args: list[str]) -> None:
    home.perles("create", home.pipeline("ok", ONE))

    result = _shell(home, 'set -o pipefail; "$@" 2>errors | head -1', *args)

    assert result.returncode == 0
    assert "perles:" not in (home.work / "errors").read_text()


def test_a_run_that_nobody_reads_goes_on_and_says_so(home: Home) -> None:
    file = home.pipeline("ok", ONE)

    result = _shell(home, '"$@" | head -1; exit ${PIPESTATUS[0]}', "run", file)

    id = home.only()
    assert result.returncode == 141
    told = f"perles: cannot print: Broken pipe; {id} goes on. Look: perles show {id}\n"
    assert result.stderr == told
    assert len(result.stdout.splitlines()) == 1
    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")


def test_letters_that_the_output_does_not_know_are_written_out(home: Home) -> None:
    home.perles("create", home.pipeline("ok", ONE), "--name", "漢字")

    result = home.perles("list", PYTHONIOENCODING="ascii")

    assert result.returncode == 0
    assert "\\u6f22\\u5b57" in result.stdout
