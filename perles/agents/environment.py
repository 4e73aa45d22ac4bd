"""What of the engine's environment an agent gets: what a program needs, and no more.

The server that it calls is on loopback: no proxy can reach that, so it is never asked to.
"""

from collections.abc import Mapping, Sequence
from typing import Final

COMMON: Final = (
    *(
        "PERLES_HOME",
        "PERLES_CONFIG",
        "PERLES_DATABASE",
    ),  # `perles` in an agent's shell is about its own home
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE", "LC_*"),
    *("TMPDIR", "TMP", "TEMP", "XDG_*", "SSH_AUTH_SOCK", "GIT_*"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"),
)


def allowed(environ: Mapping[str, str], variables: Sequence[str] | None) -> dict[str, str]:
    """The common variables and those in `variables` (`X_*` is a prefix); all of them for None."""
    if variables is None:
        return dict(environ)
    wanted = (*COMMON, *variables)
    names = {name for name in wanted if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in wanted if name.endswith("*"))
    return {k: v for k, v in environ.items() if k in names or k.startswith(prefixes)}


LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_EXEMPT: Final = ("NO_PROXY", "no_proxy")


def proxies(environ: Mapping[str, str]) -> list[str]:
    """The variables that send calls to a proxy."""
    return sorted(name for name, value in environ.items() if name.lower() in _PROXIES and value)


def proxied_loopback(environ: Mapping[str, str]) -> list[str]:
    """The names of this machine for itself that would be asked of a proxy."""
    exempt = _exempt(environ)
    return [] if "*" in exempt else [name for name in LOOPBACK if name not in exempt]


def without_proxied_loopback(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with loopback in `NO_PROXY` and `no_proxy`: programs read one or the other.

    Where both are set and differ, each keeps its own.
    """
    found = dict(environ)
    for name in _EXEMPT:
        own = environ.get(name)
        exempt = _split(own) if own else _exempt(environ)
        if "*" not in exempt:
            found[name] = ",".join(dict.fromkeys([*exempt, *LOOPBACK]))
        else:
            found[name] = "*"
    return found


def _exempt(environ: Mapping[str, str]) -> list[str]:
    return [part for name in _EXEMPT for part in _split(environ.get(name, ""))]


def _split(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in text.split(",")) if part]
