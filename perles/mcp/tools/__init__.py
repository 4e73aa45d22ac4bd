"""The tools of agents, as agents see them: names, schemas and descriptions."""
