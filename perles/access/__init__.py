"""Who asks, a person or an agent, and what only a person decides."""
