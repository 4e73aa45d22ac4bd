"""Commands: durable requests of people and agents, carried out in order."""
