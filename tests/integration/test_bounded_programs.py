"""A program is run to its end: in bounded time, with bounded output, and nothing of it is left."""

import os
import sys
import time
from pathlib import Path

import pytest

from perles.workspace.program import Bounds, Ended, run_program
from tests.integration.cli import DEADLINE


def run(script: str, tmp_path: Path, bounds: Bounds, given: bytes | None = None) -> Ended:
    return run_program(
        ["/bin/sh", "-c", script], cwd=tmp_path, env=dict(os.environ), bounds=bounds, given=given
    )


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9), ("true", 0)])
def test_its_exit_code_is_told(tmp_path: Path, script: str, code: int) -> None:
    assert run(script, tmp_path, Bounds(60, 100)).code == code


def test_output_and_errors_are_kept_apart_or_together(tmp_path: Path) -> None:
    assert run("echo a; echo b >&2", tmp_path, Bounds(60, 100))[1:3] == (b"a\n", b"b\n")
    both = run_program(
        ["/bin/sh", "-c", "echo a; echo b >&2; echo c"],
        cwd=tmp_path,
        env={},
        bounds=Bounds(60, 100),
        together=True,
    )
    assert both.out == b"a\nb\nc\n"


def test_one_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    ended = run("sleep 600 & echo $!; exec sleep 600", tmp_path, Bounds(1, 100))

    assert ended.code is None
    _gone(int(ended.out))


def test_a_child_that_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    ended = run("sleep 600 & echo $!", tmp_path, Bounds(60, 100))

    assert ended.code == 0
    _gone(int(ended.out))


def test_one_that_prints_without_end_is_ended_or_its_last_bytes_are_kept(tmp_path: Path) -> None:
    endless = run("yes", tmp_path, Bounds(60, 1000))
    assert endless.cut
    tail = run("seq 100000; echo last", tmp_path, Bounds(60, 1000, tail=True))
    assert (tail.code, tail.cut, len(tail.out)) == (0, True, 1000)
    assert tail.out.endswith(b"100000\nlast\n")


def test_its_input_is_handed_over_also_where_it_reads_nothing(tmp_path: Path) -> None:
    text = b"x" * 1_000_000
    assert run("cat", tmp_path, Bounds(60, 2_000_000), text).out == text
    assert run("true", tmp_path, Bounds(60, 100), text).code == 0


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_program(["perles-none"], cwd=tmp_path, env={}, bounds=Bounds(1, 1))


def _gone(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except FileNotFoundError:
            return
        if state in "ZX":
            return
        time.sleep(0.02)
    sys.exit(f"{pid} lives")
