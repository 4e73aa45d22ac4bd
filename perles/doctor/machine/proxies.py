"""Whether a proxy would be asked for what is on this machine."""

from collections.abc import Iterator

from perles.agents.environment import proxied_loopback, proxies
from perles.doctor.finding import NOTE, OK, Finding
from perles.doctor.machine.surroundings import Surroundings


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """What the variables of proxies mean for agents; nothing where none is set."""
    found = proxies(surroundings.environ)
    if not found:
        return
    names = ", ".join(found)
    missing = proxied_loopback(surroundings.environ)
    if not missing:
        yield Finding("proxy", OK, f"{names}; loopback is exempt")
        return
    yield Finding(
        "proxy",
        NOTE,
        f"{names} without {', '.join(missing)} in NO_PROXY: Perles adds them for its agents and "
        "tasks, which call it there",
        f"for other programs of yours: export NO_PROXY={','.join(missing)}",
    )
