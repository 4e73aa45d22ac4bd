"""Where agents' processes run."""
