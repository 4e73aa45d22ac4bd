"""The variables by which a process of an agent is known."""

from typing import Final

MARKS: Final = ("PERLES_WORKFLOW", "PERLES_AGENT", "PERLES_TURN")
"""Whose a process is: the engine gives them to each turn, and all that it starts inherits them."""
