"""What is wrong, and what to do about it: one module a check, of the machine or of a workflow."""
