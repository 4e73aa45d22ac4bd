"""The agents of a workflow: added, reminded, handed over to fresh ones."""
