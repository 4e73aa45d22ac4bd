"""Templates: what a workflow can be an instance of."""
