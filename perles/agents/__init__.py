"""Agents: what a provider is, how its processes are started, known again, tailed and ended."""
