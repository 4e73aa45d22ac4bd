"""What an agent asks for by a tool: one file a kind of command."""
