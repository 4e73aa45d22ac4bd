"""What agents and people say to each other."""
