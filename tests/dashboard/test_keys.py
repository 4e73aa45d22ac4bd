"""Bytes become keys, however they are cut; nothing that comes in breaks the parser."""

import random

import pytest

from perles.dashboard.terminal.keys import MAX_PASTE, Key, Keys

CASES = [
    (b"j", ["j"]),
    (b"\x1b[A\x1b[B", ["up", "down"]),
    (b"\x1bOA\x1bOF", ["up", "end"]),
    (b"\x1b[5~\x1b[6~\x1b[3~", ["pageup", "pagedown", "delete"]),
    (b"\x1b[1;5D", ["ctrl-left"]),
    (b"\x1b[Z\t\r\x7f\x08", ["shift-tab", "tab", "enter", "backspace", "backspace"]),
    (b"\x03\x13", ["ctrl-c", "ctrl-s"]),
    (b"\x1b\r", ["alt-enter"]),
    ("é表🎉".encode(), ["é", "表", "🎉"]),
    (b"\x1b[<0;5;3M\x1b[<0;5;3m", ["click"]),
    (b"\x1b[<64;1;1M\x1b[<65;1;1M", ["wheel-up", "wheel-down"]),
    (b"\x1b[200~a\r\nb\x1b[A\x1b[201~x", ["paste", "x"]),
    (b"\xff\xfej", ["j"]),
    (b"\x1b[?1;2c", []),
]


def _names(keys: list[Key]) -> list[str]:
    return [key.name for key in keys]


@pytest.mark.parametrize(("data", "names"), CASES)
def test_bytes_are_these_keys(data: bytes, names: list[str]) -> None:
    assert _names(Keys().feed(data)) == names


@pytest.mark.parametrize(("data", "names"), CASES)
def test_it_does_not_matter_where_bytes_are_cut(data: bytes, names: list[str]) -> None:
    parser = Keys()
    cuts = [at for at in range(1, len(data)) if not _splits_alt(data, at)]
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    assert _names([key for piece in pieces for key in parser.feed(piece)]) == names


def _splits_alt(data: bytes, at: int) -> bool:
    """Whether a cut stands between Esc and an ordinary key: those are two keys then."""
    return data[at - 1] == 0x1B and data[at] not in b"[O"


@pytest.mark.parametrize(
    ("then", "names"),
    [
        (b"q", ["esc", "q"]),
        (b"\r", ["esc", "enter"]),
        ("é".encode(), ["esc", "é"]),
        (b"\x1b[A", ["esc", "up"]),
        (b"\x1b", ["esc"]),
        (b"[A", ["up"]),
        (b"OA", ["up"]),
    ],
)
def test_a_key_typed_right_after_escape_is_a_key_of_its_own(then: bytes, names: list[str]) -> None:
    parser = Keys()
    assert parser.feed(b"\x1b") == []

    assert _names(parser.feed(then)) == names


def test_escape_and_a_key_in_one_piece_are_that_key_with_alt() -> None:
    assert _names(Keys().feed(b"\x1bq")) == ["alt-q"]
    assert _names(Keys().feed("\x1bé".encode())) == ["alt-é"]


def test_a_lone_escape_is_given_up_by_time_only() -> None:
    parser = Keys()

    assert parser.feed(b"\x1b") == []
    assert parser.waiting
    assert _names(parser.flush()) == ["esc"]
    assert not parser.waiting


def test_a_paste_is_one_key_with_plain_line_breaks() -> None:
    (key,) = Keys().feed(b"\x1b[200~one\r\ntwo\rthree\x1b[201~")

    assert key == Key("paste", "one\ntwo\nthree")


def test_a_huge_paste_is_bounded() -> None:
    parser = Keys()
    found: list[Key] = []
    for _ in range(16):
        found += parser.feed((b"" if found else b"\x1b[200~") + b"x" * 65536)
    found = parser.feed(b"\x1b[201~j")

    assert _names(found) == ["paste", "j"]
    assert len(found[0].text) <= MAX_PASTE


def test_a_click_knows_its_cell() -> None:
    assert Keys().feed(b"\x1b[<0;5;3M") == [Key("click", "", 4, 2)]


def test_random_bytes_never_break_it_nor_pile_up() -> None:
    chance = random.Random(8)
    pieces = [b"\x1b", b"[", b"<", b"200~", b"201~", b"O", b";", b"5", b"M", b"\xf0", b"\x9f", b"a"]
    parser = Keys()

    for _ in range(100_000):
        some = chance.choice(pieces) if chance.random() < 0.8 else chance.randbytes(1)
        for key in parser.feed(some):
            assert "\x1b" not in key.name
        if chance.random() < 0.05:
            parser.flush()
        assert len(parser._buffer) < 128
