"""The configuration: its keys, its files, what of a file counts, and the home folder."""
