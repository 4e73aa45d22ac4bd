"""The embedded default provider: agents that need no key and no network.

Its processes start often, so the modules that run in them (`main`, `client`,
`coordinator`, `worker`) import next to nothing, and nothing of the rest of Perles.
"""
