"""Where and how HTTP is served, out of the configuration, and what is refused."""

import os
import ssl
from pathlib import Path

from perles.config.model import Http
from perles.domain.errors import UsageError
from perles.http.guard import Address


def address_of(settings: Http) -> Address | None:
    """Where to listen; None where HTTP is off. Raises `UsageError`."""
    text = settings.listen.strip()
    if not text:
        return None
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise UsageError(f"cannot serve HTTP at {text!r}: write it like 8080 or 127.0.0.1:8080")
    if bool(settings.certificate) != bool(settings.key):
        raise UsageError("cannot use TLS: give both http.certificate and http.key")
    names = tuple(name.lower() for name in settings.hosts)
    return Address(host, int(port), bool(settings.certificate), names)


def refuse_open(address: Address, *, has_token: bool) -> None:
    """Raise `UsageError` for an address that others can reach where it is not protected."""
    if address.is_loopback:
        return
    where = f"cannot serve HTTP at {address.host}, which other machines can reach"
    if not address.secure:
        raise UsageError(
            f"{where}, without TLS: give http.certificate and http.key, or use 127.0.0.1 and ssh -L"
        )
    if not has_token:
        raise UsageError(f"{where}, before there is a token: perles token create NAME --role read")


def tls_of(settings: Http) -> ssl.SSLContext | None:
    """TLS with the configured files; None where there is none. Raises `UsageError`."""
    if not settings.certificate:
        return None
    certificate, key = (Path(os.path.expanduser(x)) for x in (settings.certificate, settings.key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot use the certificate {certificate} with {key}: {why}") from error
    return context
