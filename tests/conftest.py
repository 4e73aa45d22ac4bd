"""How all tests run."""

from hypothesis import HealthCheck, settings

# The same examples at every run, and no verdict by the clock: the machine may be busy.
settings.register_profile(
    "perles", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("perles")
