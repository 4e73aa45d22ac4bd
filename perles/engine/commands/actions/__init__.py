"""What a person asks for: one file a kind of command."""
