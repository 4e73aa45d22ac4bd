"""What the dashboard is: its state, and what can be typed into it. Pure."""
