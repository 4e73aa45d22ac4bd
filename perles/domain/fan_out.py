"""A task that is run for each item of a list that an earlier task made. No I/O."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Self

from perles.domain.patterns import lazy_pattern
from perles.domain.records import dataclass

MAX_ITEMS: Final = 1000
"""Items of one task, unless its file says otherwise."""
MAX_ITEM: Final = 64 * 1024
"""Characters of one item."""
MAX_KEY: Final = 200
_LONGEST_WORD: Final = 60
"""Characters of an item that a key can show."""
NAME: Final = lazy_pattern(r"[A-Za-z_]\w*", re.ASCII)


class NoListError(Exception):
    """There are no items in a text; the message says why."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """Which task's output has the items, how many there may be, and how many run side by side."""

    task: str
    field: str = "output"
    limit: int = MAX_ITEMS
    max_parallel: int | None = None

    def stored(self) -> dict[str, Any]:
        """As it is kept with the task."""
        return {
            "task": self.task,
            "field": self.field,
            "limit": self.limit,
            "max_parallel": self.max_parallel,
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """What `stored` made."""
        return cls(stored["task"], stored["field"], stored["limit"], stored["max_parallel"])


Item = Mapping[str, str]
"""The values of one item by path: `item`, and `item.NAME` for each of its fields."""


def items_of(text: str, limit: int) -> list[Item]:
    """The items in a text: those of a JSON list, else its lines. Raises `NoListError`."""
    stripped = text.strip()
    found: Sequence[Any] = [line.strip() for line in stripped.splitlines() if line.strip()]
    if stripped[:1] in ("[", "{"):
        found = _json_items(stripped)
    if len(found) > limit:
        raise NoListError(f"{len(found)} items are too many; {limit} at most")
    return [item_of(one) for one in found]


def _json_items(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise NoListError(
            "it starts like JSON but is not valid; print a JSON list, or lines"
        ) from None
    if not isinstance(value, list):
        raise NoListError("it is a JSON object, no list")
    return value


def item_of(value: Any) -> Item:
    """The values of one item of JSON. Raises `NoListError` for one that is too large."""
    item = {"item": as_text(value)}
    if isinstance(value, dict):
        item |= {
            f"item.{name}": as_text(one) for name, one in value.items() if NAME.fullmatch(name)
        }
    for text in item.values():
        if len(text) > MAX_ITEM:
            raise NoListError(f"an item is over {MAX_ITEM // 1024} KiB")
    return {path: text.replace("\0", "") for path, text in item.items()}


def as_text(value: Any) -> str:
    """A value of JSON as a script has it: a text as it is, all else as JSON."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return json.dumps(value, ensure_ascii=True)


def slug(text: str) -> str:
    """A text as a part of a key: small letters, digits, `-` and `_`."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")


def shown(item: Item) -> str:
    """What tells an item from others: its text, or what its fields hold."""
    fields = [text for path, text in item.items() if path != "item"]
    return " ".join(fields) or item["item"]


def keys_for(key: str, items: Sequence[Item], taken: Sequence[str] = ()) -> list[str]:
    """The keys of the tasks for these items: by their texts where these tell them apart."""
    words = [slug(shown(item)) for item in items]
    room = MAX_KEY - len(key) - 1
    is_short = all(word and len(word) <= min(_LONGEST_WORD, room) for word in words)
    named = [f"{key}-{word}" for word in words]
    if is_short and len(set(words)) == len(words) and not set(named) & set(taken):
        return named
    numbers = _numbered(key, set(taken))
    return [next(numbers) for _ in items]


def _numbered(key: str, taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        found = f"{key[: MAX_KEY - 7]}-{number}"
        if found not in taken:
            yield found
