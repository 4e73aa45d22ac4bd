"""The rules of Perles: states, specs, events, errors, time. Nothing here does I/O."""
