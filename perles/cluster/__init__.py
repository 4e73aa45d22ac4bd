"""The machines of a cluster, reached through Dask distributed.

Dask finds the machines, starts a worker on each, and carries bytes there; it runs no turn. On each
worker a plugin starts the node of that machine, or finds it, and hands calls to it. Neither Dask's
tasks and their retries nor its logs are used: a call that fails is the engine's to repeat.
Nothing here is imported without `cluster:` in the configuration.
"""
