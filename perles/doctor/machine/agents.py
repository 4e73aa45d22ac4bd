"""Which agent CLIs are here, and whether they answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from perles.agents.discovery import look, names
from perles.agents.executable import VERSION_SECONDS
from perles.doctor.finding import NOTE, OK, PROBLEM, Finding
from perles.doctor.machine.surroundings import Surroundings


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """Each provider: found, its version, what keeps it from working. Asked side by side."""
    providers = surroundings.config.providers
    asked = names(providers)
    with ThreadPoolExecutor(max_workers=len(asked) or 1) as pool:
        found = list(pool.map(lambda name: look(name, providers, surroundings.environ), asked))
    for shown in found:
        yield judge(shown, is_wanted=shown["name"] in providers.settings)


def judge(shown: dict[str, Any], *, is_wanted: bool) -> Finding:
    """What a look at one provider means; one that the configuration sets up must work."""
    name = shown["name"]
    check = f"agent {name}"
    if shown["path"] and shown["version"] is None:
        text = f"{shown['path']} does not answer --version within {VERSION_SECONDS:.0f} s"
        return Finding(check, PROBLEM, text, f"run it by hand: {shown['path']} --version")
    if shown["problem"]:
        return Finding(check, PROBLEM if is_wanted else NOTE, shown["problem"])
    where = f"{shown['version']} ({shown['path']})" if shown["path"] else "part of perles"
    return Finding(check, OK, where, f"one real turn: perles providers test {name}")
