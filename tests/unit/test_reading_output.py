"""What an agent printed is read once, in order and in bounds, however it was cut into pieces."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perles.agents.builtin.provider import TextParser
from perles.executor.contract import Batch
from perles.executor.local import output
from perles.executor.local.output import JOURNAL_LIMIT, MAX_SHOWN, read_batch, tail_of


def _all(path: Path, *, ended: bool = True) -> tuple[str, Batch]:
    offset, texts = 0, []
    while True:
        batch = read_batch(path, offset, TextParser(), ended=False, text_only=True)
        texts += [event.text for event in batch.events]
        offset = batch.offset
        if batch.at_end:
            last = read_batch(path, offset, TextParser(), ended=ended, text_only=True)
            return "\n".join([*texts, *(event.text for event in last.events)]), last


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(
        st.binary(max_size=40).filter(lambda b: b"\n" not in b and b"\r" not in b), max_size=30
    )
)
def test_every_line_is_read_once_wherever_pieces_end(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"".join(line + b"\n" for line in lines))

    whole, last = _all(path)

    assert last.offset == path.stat().st_size
    assert whole == "\n".join(line.decode(errors="replace") for line in lines)


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        (b"10 %\r50 %\r100 %\n", "100 %"),
        (b"a line of Windows\r\n", "a line of Windows"),
        (b"bar\rdone\r\nerror: no\n", "done\nerror: no"),
    ],
)
def test_of_a_line_that_was_drawn_over_the_last_is_read(
    tmp_path: Path, printed: bytes, read: str
) -> None:
    path = tmp_path / "out"
    path.write_bytes(printed)

    assert _all(path)[0] == read


def test_a_line_without_its_end_waits_until_the_process_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"one\ntwo")

    running = read_batch(path, 0, TextParser(), ended=False, text_only=True)
    ended = read_batch(path, running.offset, TextParser(), ended=True, text_only=True)

    assert [event.text for event in running.events] == ["one"]
    assert [event.text for event in ended.events] == ["two"]


def test_small_pieces_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PIECE", 7)
    path = tmp_path / "out"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(100)) + b"x" * 50)

    whole, last = _all(path)

    assert whole.split("\n") == [f"line {number}" for number in range(100)] + ["x" * 50]
    assert last.offset == path.stat().st_size


def test_one_huge_line_is_bounded_and_names_where_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"x" * 10_000_000 + b"\nafter\n")

    whole, last = _all(path)

    assert len(whole) < 2 * MAX_SHOWN
    assert f"all of it in {path}" in whole
    assert last.offset == path.stat().st_size


def test_endless_output_ends_in_a_note_and_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        for _ in range(5):
            file.write(b"some output\n" * (JOURNAL_LIMIT // 48))
        file.truncate(1024**3)  # sparse: a gigabyte of nothing

    whole, last = _all(path)

    assert len(whole) < JOURNAL_LIMIT * 1.2
    assert whole.endswith("]")
    assert f"output goes on in {path}" in whole
    assert last.offset == 1024**3


def test_a_file_that_is_gone_reads_as_nothing(tmp_path: Path) -> None:
    batch = read_batch(tmp_path / "gone", 5, TextParser(), ended=True, text_only=True)

    assert (batch.events, batch.offset, batch.at_end) == ([], 5, True)
    assert tail_of(tmp_path / "gone") == []


def test_the_tail_is_the_last_lines_within_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(10_000)))

    assert tail_of(path, lines=2) == ["line 9998", "line 9999"]
    assert sum(len(line) for line in tail_of(path, lines=1000, limit=100)) <= 100
