"""Output is found also when its file was moved, replaced, deleted or cut."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perles.agents.builtin.provider import TextParser
from perles.executor.contract import Identity
from perles.executor.local.identity import identify
from perles.executor.local.output_file import Source

SLOWLY = "echo begins; read line; echo ends"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "turn-1.out"


@pytest.fixture
def agent(output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        output.open("ab") as stdout,
        subprocess.Popen(["sh", "-c", SLOWLY], stdin=subprocess.PIPE, stdout=stdout) as process,
    ):
        while not output.read_bytes():
            os.sched_yield()
        yield process


@pytest.fixture
def identity(agent: "subprocess.Popen[bytes]") -> Identity:
    found = identify(agent.pid)
    assert found is not None
    return found


@pytest.fixture
def source(output: Path) -> Iterator[Source]:
    source = Source(output, text_only=True)
    yield source
    source.close()


def _move(output: Path) -> None:
    output.rename(output.with_suffix(".moved"))


def _replace(output: Path) -> None:
    _move(output)
    output.write_text("a stranger's line\n" * 9)


def _texts(source: Source, offset: int, identity: Identity) -> tuple[list[str], int]:
    batch = source.read(offset, TextParser(), identity, ended=False)
    return [event.text for event in batch.events], batch.offset


@pytest.mark.parametrize("meddle", [_move, _replace, Path.unlink])
def test_what_a_process_printed_before_its_end_is_read_from_the_file_that_it_wrote_to(
    source: Source,
    output: Path,
    agent: "subprocess.Popen[bytes]",
    identity: Identity,
    meddle: Callable[[Path], None],
) -> None:
    texts, offset = _texts(source, 0, identity)
    assert texts == ["begins"]

    meddle(output)
    agent.communicate(b"go\n")

    assert _texts(source, offset, identity)[0] == ["ends"]


@pytest.mark.parametrize("meddle", [_replace, Path.unlink])
def test_a_file_that_was_replaced_before_the_first_look_is_found_through_the_process(
    source: Source,
    output: Path,
    agent: "subprocess.Popen[bytes]",
    identity: Identity,
    meddle: Callable[[Path], None],
) -> None:
    meddle(output)

    texts, offset = _texts(source, 0, identity)
    agent.communicate(b"go\n")

    assert texts + _texts(source, offset, identity)[0] == ["begins", "ends"]


def test_what_is_printed_after_a_cut_is_read_from_the_beginning(
    source: Source, output: Path, agent: "subprocess.Popen[bytes]", identity: Identity
) -> None:
    _, offset = _texts(source, 0, identity)

    output.write_text("")
    agent.communicate(b"go\n")

    texts, _ = _texts(source, offset, identity)
    assert texts[-1] == "ends"
    assert "was cut from outside" in texts[0]
