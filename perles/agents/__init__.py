"""Agents: what a provider is, our own ones, and the environment and sandbox of their processes."""
