"""Pipeline files with their includes, matrices and lists become plain lists of tasks."""
