"""The variables by which a process of an agent is known."""

from typing import Final

MARKS: Final = ("PERLES_WORKFLOW", "PERLES_AGENT", "PERLES_TURN")
"""Whose a process is: the engine gives them to each turn, and all that it starts inherits them."""
ASIDE: Final = "PERLES_ASIDE"
"""The variable that short commands beside the turns have: checks, probes, commands of secrets."""


def of_aside(workflow_id: str, what: str) -> dict[str, str]:
    """The variables of such a command, by which an engine that starts after one that was killed
    ends what that left."""
    return {"PERLES_WORKFLOW": workflow_id, ASIDE: f"{workflow_id}/{what}"}
