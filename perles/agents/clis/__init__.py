"""One module for each agent CLI: how it is started, and how its output is read."""
