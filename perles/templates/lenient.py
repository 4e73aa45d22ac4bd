"""What a template file says, read as its authors may have written it.

Files written for the original have keys that nobody knows, names that are no plain keys, and
lists that are left empty; files that use a key of ours are held to what is known.
"""

import unicodedata
from collections.abc import Collection, Mapping
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.nearest import nearest
from perles.domain.slug import slug
from perles.templates.keys import table
from perles.templates.keys.key import At
from perles.templates.keys.texts import MAX_TEXT, free_key, is_key

THEIR_TEMPLATE: Final = frozenset(
    {"namespace", "key", "version", "name", "description", "labels", "arguments", "nodes"}
    | {"epic_template", "system_prompt", "path", "template", "instructions"}
)
OUR_TEMPLATE: Final = frozenset(
    {"tasks_from", "needs_one_of", "cost", "example", *table.names(At.TEMPLATE)}
)
TEMPLATE_KEYS: Final = tuple(sorted(THEIR_TEMPLATE | OUR_TEMPLATE))
THEIR_NODE: Final = frozenset({"key", "name", "template", "assignee", "after", "inputs", "outputs"})
NODE_KEYS: Final = tuple(sorted({*THEIR_NODE, *table.names(At.NODE)}))
ARGUMENT_KEYS: Final = ("key", "label", "type", "description", "required", "default", "options")


class Unknown:
    """Collects keys that are not known, or refuses them where the file is one of ours."""

    def __init__(self, registration: Node) -> None:
        self.ignored: list[str] = []
        self._is_ours = _uses_our_keys(registration)

    def entries(self, node: Node, known: Collection[str]) -> dict[str, Node]:
        """The entries with known keys. Raises `UsageError`."""
        if self._is_ours:
            return node.mapping(known)
        found = node.mapping()
        for name, value in found.items():
            if name not in known:
                self.ignored.append(
                    f"{value.where}: {value.key}: unknown key{nearest(name, known)}"
                )
        return {name: value for name, value in found.items() if name in known}


def _uses_our_keys(registration: Node) -> bool:
    entries = registration.mapping()
    if any(name in OUR_TEMPLATE - THEIR_TEMPLATE for name in entries):
        return True
    nodes = entries.get("nodes")
    return nodes is not None and any(
        name in NODE_KEYS and name not in THEIR_NODE
        for item in listed(nodes)
        if isinstance(item.value, dict)
        for name in item.value
    )


def listed(node: Node | None) -> list[Node]:
    """The entries of a list, without empty ones; none where nothing stands."""
    if node is None or node.value is None:
        return []
    return [item for item in node.items() if item.value is not None]


def text_of(entries: Mapping[str, Node], name: str, otherwise: str = "") -> str:
    """A text; `otherwise` where nothing stands."""
    node = entries.get(name)
    return otherwise if node is None or node.value is None else node.text()


def plain_keys(items: Collection[Node]) -> dict[str, str]:
    """A plain key for each node's own, which may be any text. Raises `UsageError`."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for item in items:
        entries = item.mapping()
        written = text_of(entries, "key")
        if not written.strip():
            raise item.error("key is missing; a node needs one")
        if written in found:
            raise item.error(f"two nodes have the key {written!r} (duplicate node key); rename one")
        found[written] = _plain(written, taken, entries["key"])
        taken.add(found[written])
    return found


def _plain(written: str, taken: Collection[str], node: Node) -> str:
    if is_key(written) and written not in taken:
        return written
    made = slug(written)
    if not made:
        raise node.error(f"{written[:60]!r} is no key; use letters, digits, - and _")
    return free_key(made, taken)


def as_name(node: Node) -> Node:
    """A name of one line, cut where it is too long."""
    if node.text().isprintable() and len(node.text()) <= MAX_TEXT:
        return node.having(node.text().strip())
    text = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in node.text())
    text = " ".join(text.split())
    return node.having(text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…")


def is_yes(node: Node) -> bool:
    """true or false, also by one letter. Raises `UsageError`."""
    if isinstance(node.value, str) and node.value.lower() in ("y", "n"):
        return node.value.lower() == "y"
    return node.boolean()
