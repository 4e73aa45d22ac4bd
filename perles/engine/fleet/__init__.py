"""The nodes of a cluster: which there are, how each stands, and which of them gets a turn."""
