"""Mentions: known names, without the punctuation after them; none in code or in addresses."""

import pytest

from perles.fabric import mentions

NAMES = {"coordinator", "worker-1", "worker-2", "observer"}


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("@worker-1 look", ("worker-1",)),
        ("ask @worker-1.", ("worker-1",)),
        ("(@worker-1), @worker-2!", ("worker-1", "worker-2")),
        ("@Worker-1's turn", ("worker-1",)),
        ("@worker-1: @worker-1", ("worker-1",)),
        ("**@coordinator**", ("coordinator",)),
        ("@worker-1...", ("worker-1",)),
        ("@worker-12", ()),
        ("me@worker-1 and a.b@worker-2", ()),
        ("x/@worker-1", ()),
        ("`@worker-1` and ``a ` @worker-2``", ()),
        ("```\n@worker-1\n```\n@worker-2", ("worker-2",)),
        ("~~~py\n@worker-1\n``` \n~~~~\n@worker-2", ("worker-2",)),
        ("```\n@worker-1", ()),
        ("a ` alone @worker-1", ("worker-1",)),
    ],
)
def test_names_are_found_as_people_write_them(text: str, known: tuple[str, ...]) -> None:
    assert mentions.find(text, NAMES).known == known


def test_here_and_names_that_nobody_has_are_told_apart() -> None:
    found = mentions.find("@here, and @worker-9", NAMES)

    assert (found.here, found.known, found.unknown) == (True, (), ("worker-9",))


def test_a_text_of_nothing_but_backticks_takes_no_time() -> None:
    text = " ".join("`" * (n % 90 + 1) for n in range(300)) + "@worker-1"

    assert mentions.find(text[:16_384], NAMES).unknown == ()
