"""What the builtin agents use of `json`, `signal` and `socket`, without what those import.

Each of a workflow's turns is a process that lives for a few calls. The three modules would be half
of its processor time, nearly all of that for `enum` and `re`; their cores, written in C, are all
that is needed here. Where a Python has other cores, the modules themselves do the work.
"""

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    import signal
    from socket import socket
    from typing import Any
else:
    try:
        import _signal as signal
        from _socket import socket
    except ImportError:
        import signal
        from socket import socket

__all__ = ["connect", "dumps", "loads", "signal", "socket"]


def connect(host: str, port: int, timeout: float) -> "socket":
    """A TCP connection over IPv4; `timeout` in seconds holds for all that follows."""
    made = socket()  # IPv4 and TCP, where nothing else is asked for
    made.settimeout(timeout)
    try:
        made.connect((host, port))
    except BaseException:
        made.close()
        raise
    return made


class _Rules:
    """How `json` reads where nobody asks for anything else."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _cores() -> "tuple[Any, Any]":
    """`loads` and `dumps` from the C core. Raises `ImportError`, `TypeError`, `AttributeError`."""
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    # Any object with these attributes will do; the stubs ask for a scanner.
    scan = make_scanner(_Rules)  # type: ignore[arg-type]
    encode = make_encoder(
        None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, True
    )

    def read(text: "str | bytes") -> "Any":
        if isinstance(text, bytes):
            text = text.decode()
        text = text.strip(" \t\n\r")
        try:
            found, end = scan(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            raise ValueError(f"not JSON: {text[:100]!r}")
        return found

    def write(value: object) -> str:
        return "".join(encode(value, 0))

    return read, write


def _refuse(value: object) -> object:
    raise TypeError(f"JSON has no {type(value).__name__}")


try:
    loads, dumps = _cores()
    if loads(dumps({"a": [1, 2.5, None, "ä\n"]})) != {"a": [1, 2.5, None, "ä\n"]}:
        raise TypeError("another core than ours")
except (ImportError, AttributeError, TypeError):
    from json import dumps, loads
