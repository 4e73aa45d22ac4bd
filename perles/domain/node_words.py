"""Names of nodes and their labels: what may stand there."""

import re
from typing import Final

MAX_NAME: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_OTHER: Final = re.compile(r"[^A-Za-z0-9._-]+")


def is_node_name(text: str) -> bool:
    """Whether a node, or a label, can be called so."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def node_name(host: str) -> str:
    """The name of a node for what a machine calls itself."""
    text = _OTHER.sub("-", host)[:MAX_NAME].strip("._-")
    return text or "node"
