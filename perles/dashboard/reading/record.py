"""A piece of a transcript."""

from typing import NamedTuple


class Record(NamedTuple):
    """Something that stands in a transcript; equal records look alike, so they are drawn once."""

    key: int
    at: str
    kind: str
    who: str
    text: str
    note: str = ""
