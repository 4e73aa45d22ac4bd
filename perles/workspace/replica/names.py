"""The refs of work that was done on other machines.

`refs/perles/WORKFLOW/TASK/TURN` has what one turn left; TURN is its number in the database, which
no other turn ever has, so what an earlier try sends late lands beside what counts.
"""

import hashlib
from typing import Final

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_MOST: Final = 100


def quoted(text: str) -> str:
    """A text as one part of a ref's name; others have other names."""
    made = "".join(
        letter if letter in _PLAIN else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in text
    )
    if len(made) > _MOST:
        return f"{made[:_MOST]}%{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return made or "%"


def work_ref(workflow_id: str, task: str, turn_id: int) -> str:
    """What a turn left."""
    return f"refs/perles/{quoted(workflow_id)}/{quoted(task)}/{turn_id}"


def sent_ref(workflow_id: str, node: str) -> str:
    """What is on its way to a node, on the engine's machine."""
    return f"refs/perles-nodes/{quoted(workflow_id)}/{quoted(node)}/sent"


def base_ref(workflow_id: str, node: str) -> str:
    """What both sides had when they were last alike, on the engine's machine."""
    return f"refs/perles-nodes/{quoted(workflow_id)}/{quoted(node)}/base"


def turns_ref(workflow_id: str, node: str) -> str:
    """Below it, by their numbers: the turns whose work is on a node and not here."""
    return f"refs/perles-nodes/{quoted(workflow_id)}/{quoted(node)}/turns/"


def work_refs(workflow_id: str) -> str:
    """Below it: what all turns of a workflow left."""
    return f"refs/perles/{quoted(workflow_id)}/"


def kept_refs(workflow_id: str) -> str:
    """Below it: what the engine's machine notes of the nodes of a workflow."""
    return f"refs/perles-nodes/{quoted(workflow_id)}/"
