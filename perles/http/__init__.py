"""The HTTP API, its stream of events, and the web page, served by a process beside the engine."""
