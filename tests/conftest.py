"""How all tests run."""

import signal

from hypothesis import HealthCheck, settings

# The same examples at every run, and no verdict by the clock: the machine may be busy.
settings.register_profile(
    "perles", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("perles")

# A shell starts what it puts in the background deaf to Ctrl-C; the programs that we start are not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
