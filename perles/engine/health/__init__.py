"""Who waits, who works and who is stuck; and the steps that help."""
