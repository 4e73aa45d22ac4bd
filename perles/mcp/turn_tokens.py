"""Tokens that are good for one turn: of agents on other machines, which may be cut off from us.

The number of a turn is never used again and grows with each try, so a call that an earlier try of
the agent makes late, from a machine that nobody heard for a while, is known by its token.
"""

from typing import Final

_SEPARATOR: Final = "."
"""Not a letter of `secrets.token_urlsafe`."""
_MOST_DIGITS: Final = 18


def of_turn(token: str, turn_id: int) -> str:
    """The agent's token, as it is good for this turn only."""
    return f"{token}{_SEPARATOR}{turn_id}"


def parted(token: str) -> tuple[str, int | None]:
    """The agent's token, and the turn for which it is good; None: for all of the agent's."""
    secret, separator, number = token.rpartition(_SEPARATOR)
    if separator and number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS:
        return secret, int(number)
    return token, None
