"""Frames: pure functions from state and view to lines of styled segments."""
