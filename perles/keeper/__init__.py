"""The process that holds the ports of workflows while engines come and go."""
