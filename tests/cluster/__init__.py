"""Nodes and the engine: over sockets that fail, and over Dask."""
