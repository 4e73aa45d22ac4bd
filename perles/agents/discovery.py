"""What providers there are on this machine: found, version, path, what each can do."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perles.agents.executable import version_of
from perles.agents.provider import find, installed
from perles.agents.sandbox import bubblewrap
from perles.config.provider_settings import Providers
from perles.config.providers import CLIS
from perles.domain.errors import PerlesError

ABSTRACT: Final = "command"
"""The kind of provider that is none by itself."""


def survey(providers: Providers, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every provider that can be named, those of the configuration included."""
    return [look(name, providers, environ) for name in names(providers)]


def names(providers: Providers) -> list[str]:
    """What every provider is called, the installed ones first."""
    found = [name for name in installed() if name != ABSTRACT]
    return found + sorted(set(providers.settings) - set(found))


def default_client(providers: Providers, role: str, environ: Mapping[str, str]) -> str:
    """The configured provider of a role; where none is, the first CLI that is on this machine."""
    if providers.names(role):
        return providers.client_of(role)
    here = (name for name in CLIS if is_here(name, providers, environ))
    return next(here, providers.client_of(role))


def is_here(name: str, providers: Providers, environ: Mapping[str, str]) -> bool:
    """Whether the program of a provider is on this machine."""
    try:
        executable = getattr(find(name, providers.of(name)), "executable", None)
        if executable is not None:
            executable(environ)
    except PerlesError:
        return False
    return True


def look(name: str, providers: Providers, environ: Mapping[str, str]) -> dict[str, Any]:
    """One provider; what keeps it from working stands in `problem`."""
    shown: dict[str, Any] = {
        "name": name,
        "found": False,
        "version": None,
        "tested": None,
        "path": None,
        "model": None,
        "capabilities": [],
        "sandbox": bubblewrap(environ) is not None,
        "problem": None,
    }
    try:
        provider = find(name, providers.of(name))
        shown["capabilities"] = list(getattr(provider, "capabilities", ()))
        shown["model"] = providers.of(name).model
        executable = getattr(provider, "executable", None)
        if executable is not None:
            shown["path"] = executable(environ)
            shown["version"] = version_of(shown["path"], environ)
            shown["tested"] = _is_tested(shown["version"], getattr(provider, "tested", ()))
        provider.check(environ)
        shown["found"] = True
    except PerlesError as error:
        shown["problem"] = str(error)
    return shown


def _is_tested(version: str | None, tested: Sequence[str]) -> bool | None:
    """Whether this version is one that our tests ran with; None where there are no such."""
    if version is None or not tested:
        return None
    return any(known in version for known in tested)
