"""Perles for an agent of the user's own: an MCP server on standard input and output."""
