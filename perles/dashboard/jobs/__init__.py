"""The dashboard's workers: processes that carry out what the screen asks for."""
