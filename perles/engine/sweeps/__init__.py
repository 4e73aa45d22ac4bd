"""The engine's regular jobs."""
