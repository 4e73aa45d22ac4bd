"""What of a repository's configuration counts: a cloned repository is not your own word.

What belongs to the engine counts only in the user's own file. What starts programs, or loosens
what agents may do, counts once the user trusts the file as it is: a hash of it is kept.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from perles.config.keys import ENGINE_SECTIONS, OPTIONS, Option
from perles.config.providers import CLIS, SPECIAL
from perles.config.yamlfile import Node, read_bytes
from perles.domain.errors import UsageError
from perles.domain.provider_choice import SEATS

_PREFIX: Final = "orchestration."
CLIENTS: Final = frozenset(
    f"{_PREFIX}{role}client" for role in ("", *(f"{seat}_" for seat in SEATS))
)
_SECTIONS: Final = frozenset(_PREFIX + name for name in (*CLIS, *SPECIAL))
_HARMLESS: Final = ("model", "mode")
"""What a repository may say of an agent CLI without being asked."""


class Unused(NamedTuple):
    """A setting of a repository's file that does not count, and whether trust would change that."""

    file: Path
    where: str
    key: str
    by_trust: bool

    def __str__(self) -> str:
        """In a line, with what to do."""
        if self.by_trust:
            folder = self.file.parent.parent
            return f"{self.where}: {self.key} is not used: not trusted; perles trust {folder}"
        return (
            f"{self.where}: {self.key} is not used: it belongs to the engine; "
            "put it into your own file (perles config init --user)"
        )


class Repository:
    """One repository's file: what of it counts, and, in `unused`, what does not."""

    def __init__(
        self, file: Path, text: str, home: Path, default_of: Callable[[Option], object]
    ) -> None:
        self.file = file
        self.text = text
        self.unused: list[Unused] = []
        self._default_of = default_of
        self._trusted = is_trusted(file, text, home)

    def admit(self, key: str, node: Node) -> Node | None:
        """The part of a setting that counts; None where nothing does."""
        option = OPTIONS.get(key)
        if option is not None and option.read(node) == self._default_of(option):
            return node if key.startswith("theme.") else None  # as if it did not stand there
        if option is not None and option.section in ENGINE_SECTIONS:
            self._spare(key, node, by_trust=False)
            return None
        if self._trusted or key in CLIENTS or key.startswith("theme."):
            return node
        if key in _SECTIONS and isinstance(node.value, dict):
            for name, child in node.value.items():
                if name not in _HARMLESS:
                    self._spare(f"{key}.{name}", child, by_trust=True)
            return replace(node, value={n: c for n, c in node.value.items() if n in _HARMLESS})
        self._spare(key, node, by_trust=True)
        return None

    def spare_unknown_clients(self, found: Mapping[str, Node]) -> Iterator[str]:
        """The keys that name providers which only this file, not trusted, describes."""
        if self._trusted or not any(one.by_trust for one in self.unused):
            return
        named = found.get(f"{_PREFIX}providers")
        known = {
            *CLIS,
            "builtin",
            *(named.value if named and isinstance(named.value, dict) else ()),
        }
        for key in CLIENTS & set(found):
            if found[key].source == str(self.file) and found[key].value not in known:
                self._spare(key, found[key], by_trust=True)
                yield key

    def _spare(self, key: str, node: Node, *, by_trust: bool) -> None:
        self.unused.append(Unused(self.file, node.where, key, by_trust))


def is_trusted(file: Path, text: str, home: Path) -> bool:
    """Whether the user trusts a file with just this text."""
    return _kept(home).get(os.path.realpath(file)) == _digest(text)


def trust(file: Path, text: str, home: Path) -> None:
    """Keep that the user trusts this file as it is. Raises `UsageError`."""
    kept = _kept(home) | {os.path.realpath(file): _digest(text)}
    made = _store(home).with_suffix(".new")
    try:
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as written:
            json.dump(kept, written, indent=1)
        made.replace(_store(home))
    except OSError as error:
        raise UsageError(f"cannot keep it in {_store(home)}: {error.strerror}") from error


def _store(home: Path) -> Path:
    return home / "trusted.json"


def _kept(home: Path) -> dict[str, str]:
    try:
        found = json.loads(read_bytes(_store(home)))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {_store(home)}, which says what is trusted: {error}; remove it"
        ) from error
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
