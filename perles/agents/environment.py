"""What of the engine's environment an agent gets: what a program needs, and no more."""

from collections.abc import Mapping, Sequence
from typing import Final

COMMON: Final = (
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
