"""The MCP servers: one per running workflow, one bearer token per agent."""
