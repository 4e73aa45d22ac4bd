"""Bytes from a terminal made keys, pastes and mouse events. No I/O: the caller owns the clock.

A lone Esc cannot be told from the start of a sequence until time has passed:
`feed` keeps it, `flush` (called when nothing came for `ESC_SECONDS`) gives it up
as Esc. A terminal sends Alt and a key in one piece: what comes in the next one is a
key of its own, however fast it was typed; only `[` and `O` still make a sequence, which
slow lines cut. Whatever comes in, no more than `MAX_PASTE` characters are ever kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern

ESC_SECONDS: Final = 0.05
MAX_PASTE: Final = 256 * 1024
"""Characters of one paste that are kept; the rest of it is dropped."""
_MAX_SEQUENCE: Final = 64
_PASTE_START: Final = b"\x1b[200~"
_PASTE_END: Final = b"\x1b[201~"


class Key(NamedTuple):
    """One key, paste or mouse event: `name` says which; `text` is what it would type.

    A letter's name is the letter. Mouse events have a cell, counted from 0.
    """

    name: str
    text: str = ""
    x: int = 0
    y: int = 0


_FINAL: Final = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "Z": "shift-tab",
}
_TILDE: Final = {
    "1": "home",
    "3": "delete",
    "4": "end",
    "5": "pageup",
    "6": "pagedown",
    "7": "home",
    "8": "end",
}
_CONTROL: Final = {8: "backspace", 9: "tab", 10: "ctrl-j", 13: "enter", 127: "backspace"}
_CSI: Final = lazy_pattern(rb"\x1b\[([0-?]*)([ -/]*)([@-~])")
_CSI_OPEN: Final = lazy_pattern(rb"\x1b\[[0-?]*[ -/]*\Z")
_MODIFIED: Final = {"2": "shift-", "3": "alt-", "5": "ctrl-"}


class Keys:
    """Turns a stream of bytes, cut anywhere, into keys."""

    def __init__(self) -> None:
        self._buffer = b""
        self._paste: list[str] | None = None
        self._pasted = 0

    @property
    def waiting(self) -> bool:
        """Whether something is kept that `flush` would give up."""
        return bool(self._buffer) and self._paste is None

    def feed(self, data: bytes) -> list[Key]:
        """The keys that are complete now; `data` is what came in one piece."""
        found: list[Key] = []
        if self._buffer == b"\x1b" and self._paste is None and data and data[:1] not in b"[O":
            self._buffer = b""
            found.append(Key("esc"))
        self._buffer += data
        while self._buffer:
            before = len(self._buffer)
            key = self._take_paste() if self._paste is not None else self._take()
            if key is not None:
                found.append(key)
            elif len(self._buffer) == before:
                break
        return found

    def flush(self) -> list[Key]:
        """What was kept, as the keys it must be by now: time has passed."""
        if not self.waiting:
            return []
        first, rest = self._buffer[:1], self._buffer[1:]
        self._buffer = b""
        if first != b"\x1b":
            return []  # a letter that broke off
        if rest in (b"[", b"O"):
            return [Key(f"alt-{rest.decode()}")]
        return [Key("esc"), *self.feed(rest)]

    def _take(self) -> Key | None:
        data = self._buffer
        if data.startswith(_PASTE_START):
            self._buffer = data[len(_PASTE_START) :]
            self._paste, self._pasted = [], 0
            return None
        if data[0] == 0x1B:
            return self._take_escape(data)
        if data[0] < 0x20 or data[0] == 0x7F:
            self._buffer = data[1:]
            return _control(data[0])
        return self._take_letter(data)

    def _take_escape(self, data: bytes) -> Key | None:
        if len(data) == 1:
            return None
        if data[1:2] == b"[":
            return self._take_csi(data)
        if data[1:2] == b"O":
            if len(data) == 2:
                return None
            self._buffer = data[3:]
            name = _FINAL.get(chr(data[2]))
            return Key(name) if name else None
        if data[1] == 0x1B:
            self._buffer = data[1:]
            return Key("esc")
        self._buffer = data[1:]
        inner = self._take()
        if inner is None:
            if self._buffer == data[1:]:
                self._buffer = data  # the letter after Alt is not complete yet
            return None
        return Key(f"alt-{inner.name}")

    def _take_csi(self, data: bytes) -> Key | None:
        match = _CSI.match(data)
        if match is None:
            if _CSI_OPEN.match(data) and len(data) < _MAX_SEQUENCE:
                return None
            self._buffer = data[2:]  # no sequence that any terminal sends: skip its start
            return None
        self._buffer = data[match.end() :]
        return _csi(match[1].decode("ascii"), chr(match[3][0]))

    def _take_letter(self, data: bytes) -> Key | None:
        size = _letter_size(data[0])
        if len(data) < size and all(0x80 <= byte < 0xC0 for byte in data[1:]):
            return None
        try:
            text = data[:size].decode("utf-8")
        except UnicodeDecodeError:
            self._buffer = data[1:]
            return None
        self._buffer = data[size:]
        return Key(text, text) if text.isprintable() else None

    def _take_paste(self) -> Key | None:
        assert self._paste is not None
        end = self._buffer.find(_PASTE_END)
        if end < 0:
            # The end mark, or a letter, may be cut: keep a tail.
            cut = max(0, len(self._buffer) - len(_PASTE_END) - 3)
            while cut and 0x80 <= self._buffer[cut] < 0xC0:
                cut -= 1
            self._keep(self._buffer[:cut])
            self._buffer = self._buffer[cut:]
            return None
        self._keep(self._buffer[:end])
        self._buffer = self._buffer[end + len(_PASTE_END) :]
        text = "".join(self._paste).replace("\r\n", "\n").replace("\r", "\n")
        self._paste = None
        return Key("paste", text)

    def _keep(self, data: bytes) -> None:
        assert self._paste is not None
        room = MAX_PASTE - self._pasted
        if room > 0 and data:
            text = data.decode("utf-8", "replace")[:room]
            self._paste.append(text)
            self._pasted += len(text)


def _letter_size(first: int) -> int:
    for size, low, high in ((1, 0, 0x80), (2, 0xC2, 0xE0), (3, 0xE0, 0xF0), (4, 0xF0, 0xF5)):
        if low <= first < high:
            return size
    return 1


def _control(byte: int) -> Key | None:
    if byte in _CONTROL:
        return Key(_CONTROL[byte])
    return Key(f"ctrl-{chr(byte + 96)}") if 1 <= byte <= 26 else None


def _csi(params: str, final: str) -> Key | None:
    if params.startswith("<") and final in "Mm":
        return _mouse(params[1:], final)
    first, _, modifier = params.partition(";")
    name = _TILDE.get(first) if final == "~" else _FINAL.get(final)
    if name is None:
        return None
    return Key(_MODIFIED.get(modifier, "") + name)


def _mouse(params: str, final: str) -> Key | None:
    parts = params.split(";")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    button, x, y = (int(part[:6]) for part in parts)
    cell = (max(0, x - 1), max(0, y - 1))
    if button & 64:
        return Key("wheel-down" if button & 1 else "wheel-up", "", *cell)
    if button & 0b100011 == 0 and final == "M":
        return Key("click", "", *cell)
    return None
