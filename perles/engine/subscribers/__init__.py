"""What listens to the journal inside the engine."""
