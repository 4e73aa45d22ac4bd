"""Tasks: their graph, their questions to people, briefs, reports and handovers."""
