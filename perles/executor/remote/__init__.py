"""Turns as processes of other machines, through the node there."""
