"""Names of nodes and their labels: what may stand there, and how a machine is called."""

import os
from collections.abc import Mapping
from typing import Final

from perles.domain.patterns import lazy_pattern

NAME_VARIABLE: Final = "PERLES_NODE_NAME"
FOLDER_VARIABLE: Final = "PERLES_NODE_DIR"
"""Where an environment names the node of its machine, and the folder of the node's files."""
MAX_NAME: Final = 100
_NAME: Final = lazy_pattern(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_OTHER: Final = lazy_pattern(r"[^A-Za-z0-9._-]+")


def is_node_name(text: str) -> bool:
    """Whether a node, or a label, can be called so."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def node_name(host: str) -> str:
    """The name of a node for what a machine calls itself."""
    text = _OTHER.sub("-", host)[:MAX_NAME].strip("._-")
    return text or "node"


def this_node(environ: Mapping[str, str], host: str) -> str:
    """The name of the node of a machine: its environment's, or made of its host name."""
    given = environ.get(NAME_VARIABLE, "")
    return given if is_node_name(given) else node_name(host.partition(".")[0])


def node_folder(environ: Mapping[str, str], name: str, above: str = "") -> str:
    """The folder of a node's files: its environment's, or its own one in `above`.

    "" for `nodes` in the home folder of Perles there.
    """
    above = above or os.path.join(environ.get("PERLES_HOME") or "~/.perles", "nodes")
    found = environ.get(FOLDER_VARIABLE) or os.path.join(above, name)
    return os.path.abspath(os.path.expanduser(found))
