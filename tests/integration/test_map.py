"""The documentation names what is there: rooms, tests, and what the code says of itself."""

import re
from pathlib import Path

import pytest

from tests import generate_docs

ROOT = Path(__file__).resolve().parents[2]
MAP = (ROOT / "docs" / "architecture.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("name", generate_docs.GENERATED)
def test_what_the_code_says_of_itself_stands_in_the_docs(name: str) -> None:
    assert name not in generate_docs.differing(), "run make docs"


def test_every_place_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:perles|tests|migrations|docs)/[\w/.]*)", MAP + CONTRIBUTING)

    assert len(named) > 40
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_every_invariant_is_proved_by_a_test_that_is_there() -> None:
    rows = re.findall(r"^\| (I\d+) \|.*\| (`tests/.*) \|$", MAP, re.MULTILINE)

    assert len(rows) >= 20
    for invariant, proofs in rows:
        for file, _, test in re.findall(r"`([\w/.]+)(::(\w+))?`", proofs):
            assert not test or re.search(rf"(def|class) {test}\b", (ROOT / file).read_text()), (
                invariant
            )


def test_every_room_is_on_the_map() -> None:
    rooms = [
        path.parent.relative_to(ROOT)
        for base in ("perles", "perles/engine")
        for path in (ROOT / base).glob("*/__init__.py")
    ]

    assert [str(room) for room in rooms if f"`{room}/`" not in MAP] == []


def test_every_file_that_a_room_names_is_in_it() -> None:
    absent = []
    for rooms, text in re.findall(r"^\| (`perles/.*?) \| (.*) \|$", MAP, re.MULTILINE):
        places = [ROOT / room for room in re.findall(r"`([\w/.]+)`", rooms)]
        for file in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
            there = any((place / file).exists() or [*place.glob(f"*/{file}")] for place in places)
            if not there and not (ROOT / "perles" / file).exists():
                absent.append((rooms, file))

    assert absent == []
