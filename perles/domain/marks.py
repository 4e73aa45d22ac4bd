"""The variables by which a process of an agent is known."""

from typing import Final

MARKS: Final = ("PERLES_WORKFLOW", "PERLES_AGENT", "PERLES_TURN")
"""Whose a process is: the engine gives them to each turn, and all that it starts inherits them."""
ASIDE: Final = "PERLES_ASIDE"
"""The variable that short commands beside the turns have: checks, probes, commands of secrets."""
