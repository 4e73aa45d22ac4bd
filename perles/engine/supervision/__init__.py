"""The life of workflows: started, paused, resumed, ended."""
