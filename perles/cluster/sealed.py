"""Bytes that no log shows."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Sealed:
    """Bytes of a call or its answer, which may hold tokens: whatever prints them shows nothing."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes>"

    def __reduce__(self) -> tuple[type[Sealed], tuple[bytes]]:
        return Sealed, (self.data,)


def sealed(data: bytes) -> Any:
    """The bytes as Dask carries them: the scheduler passes them on unread."""
    return import_module("distributed.protocol").to_serialize(Sealed(data))
