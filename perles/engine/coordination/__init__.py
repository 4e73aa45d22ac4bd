"""Coordination without a process: workflows of commands alone are led by the engine itself."""
