"""A key or an answer, and what it makes of the state. Pure."""
