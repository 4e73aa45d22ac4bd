"""The engine: the one process that changes running workflows."""
