"""How large a number, and how long an id, may be that comes from outside: all others are cut."""

from typing import Final

MAX_ID: Final = 200
"""Characters of an id that an agent CLI makes up."""
MAX_LINE_TOKENS: Final = 10**12
"""Tokens that one line of usage may tell of."""
MAX_LINE_COST: Final = 10.0**6
"""USD that one line of usage may tell of."""
MAX_TOTAL_TOKENS: Final = 10**15
"""Where every sum of tokens stays: thousands of such sums still add up to an integer of SQLite."""
MAX_TOTAL_COST: Final = 10.0**9
"""Where every sum of USD stays."""
MAX_NUMBER: Final = 2**53
"""Any other number: beyond it, JSON is read differently by different readers."""
