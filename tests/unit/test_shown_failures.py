"""The failed tasks at the end of `perles show` and `perles run`: those that count first."""

from typing import Any

import pytest

from perles.cli.show import MOST_FAILURES, TAIL_LINES, print_failures


def _failed(number: int, *, tolerated: bool) -> dict[str, Any]:
    tail = [f"line {n}" for n in range(20)]
    about = {"status": "failed", "failure": "exit 1", "output_tail": tail}
    return {"key": f"t{number}", "tolerated": tolerated, **about}


def test_of_very_many_failures_the_first_are_told_and_the_rest_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tasks = [_failed(number, tolerated=number < 9_999) for number in range(10_000)]

    print_failures({"id": "wf-x", "tasks": tasks})

    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if "failed: exit 1" in line]
    assert len(told) == MOST_FAILURES
    assert told[0].startswith("t9999 ")
    assert lines[-1] == "… 9980 more failed: perles tasks wf-x TASK shows one in full"
    assert len(lines) <= MOST_FAILURES * (TAIL_LINES + 2) + 2


def test_a_few_failures_are_all_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_failures({"id": "wf-x", "tasks": [_failed(1, tolerated=False)]})

    assert "more failed" not in capsys.readouterr().out
