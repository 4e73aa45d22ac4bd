"""What is read from a turn's files: its exit status, and again what a parser was told before."""

from pathlib import Path

import pytest

from perles.agents.provider import AgentEvent, Outcome
from perles.domain.errors import UsageError
from perles.domain.size import parse_size
from perles.executor.contract import Identity
from perles.executor.local import launcher, output
from perles.executor.local.identity import hold, identify, is_known
from perles.executor.local.output import replay


class Listener:
    """A parser that remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def feed(self, line: str) -> list[AgentEvent]:
        """Remember."""
        self.heard.append(line)
        return []

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """Not asked here."""
        raise NotImplementedError


def _numbered(path: Path, count: int) -> Path:
    path.write_text("".join(f"line {number}\n" for number in range(count)))
    return path


def test_a_fresh_parser_hears_what_stands_before_the_offset_and_no_more(tmp_path: Path) -> None:
    path = _numbered(tmp_path / "out", 100)
    parser = Listener()

    replay(path, len("line 0\nline 1\n"), parser)

    assert parser.heard == ["line 0", "line 1"]


def test_of_a_long_output_it_hears_the_beginning_and_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _numbered(tmp_path / "out", 1000)
    monkeypatch.setattr(output, "PIECE", 64)
    monkeypatch.setattr(output, "MAX_REPLAY", 200)
    parser = Listener()

    replay(path, path.stat().st_size, parser)

    assert parser.heard[0] == "line 0"
    assert parser.heard[-1] == "line 999"
    assert len(parser.heard) < 100


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("exit 0\n", 0),
        ("exit 137\n", -9),
        ("", None),
        ("exit ", None),
        ("exit 1", None),
        ("exit x\n", None),
    ],
)
def test_a_status_counts_only_when_it_is_whole(tmp_path: Path, text: str, code: int | None) -> None:
    path = tmp_path / "status"
    path.write_text(text)

    assert launcher.left_status(path) == code


def test_a_pid_of_another_start_or_another_boot_is_not_held() -> None:
    mine = identify(1)
    assert mine is not None

    for other in (
        Identity(mine.pid, mine.start_ticks + 1, mine.boot_id),
        Identity(mine.pid, mine.start_ticks, "another boot"),
    ):
        assert hold(other) is None
        assert not is_known(other)


def test_sizes_are_bytes_or_powers_of_two() -> None:
    assert [parse_size(text) for text in ("7", "2KiB", "1 GiB")] == [7, 2048, 2**30]
    for wrong in ("", "1gb", "-1", "1.5MiB"):
        with pytest.raises(UsageError, match="write it like"):
            parse_size(wrong)
