"""Limits: slots, workers, AI calls, ports and budgets, and who is next."""
