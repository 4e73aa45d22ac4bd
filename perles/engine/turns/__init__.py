"""Turns: from queued messages to a process, its output and its outcome."""
