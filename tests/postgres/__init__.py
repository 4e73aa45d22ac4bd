"""Tests that need a PostgreSQL server, and the server that they get."""
