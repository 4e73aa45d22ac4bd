"""What the engine says and the builtin agents act on. They import nothing heavier than this."""

NEVER = "cannot ever spawn"
"""How a refusal begins that no waiting ends."""
