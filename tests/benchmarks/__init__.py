"""Speed and memory, as a table: name, value, unit, goal. Never part of the tests."""
