"""Agents' processes on this machine: started, known again, read and ended."""
