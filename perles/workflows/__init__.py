"""Workflows: created, retried, changed, and asked for something."""
