"""Reading for the screen: only what can be seen."""
