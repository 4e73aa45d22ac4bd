"""Why a scheduler cannot be reached, in words: its port is tried before Dask is asked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from perles.domain import quoting
from perles.domain.errors import ClusterError

TRY_SECONDS: Final = 5.0
MAX_WORDS: Final = 300
NO_TLS: Final = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF", "RECORD_LAYER_FAILURE")
"""What OpenSSL says of an answer that is not TLS."""


async def probe(scheduler: str, security: Any) -> None:
    """Connect to a scheduler and hang up. Raises `ClusterError`."""
    place = urlsplit(scheduler)
    context = None
    if place.scheme == "tls":
        context = security.get_connection_args("client")["ssl_context"]
    try:
        async with asyncio.timeout(TRY_SECONDS):
            _, writer = await asyncio.open_connection(place.hostname, place.port, ssl=context)
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"cannot reach {scheduler}: {in_words(error)}") from error
    writer.close()
    try:
        async with asyncio.timeout(TRY_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass  # it was reached: how it hangs up tells nothing


def in_line(error: BaseException) -> str:
    """What an error says, in one bounded line."""
    return (quoting.in_line(str(error)) or type(error).__name__)[:MAX_WORDS]


def in_words(error: BaseException) -> str:
    """What an error means where a scheduler is to be reached, in one bounded line."""
    causes = [error]
    while (below := causes[-1].__cause__ or causes[-1].__context__) and below not in causes:
        causes.append(below)
    for one in causes:
        if found := _known(one, str(one)):
            return found
    return in_line(error)


def _known(error: BaseException, text: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not of cluster.ca ({error.verify_message})"
    if "TLS certificate does not match" in text:
        return "its certificate is not of cluster.ca"
    if "_ALERT_" in text or "alert " in text:
        return "it does not take the certificate of cluster.certificate"
    if isinstance(error, ssl.SSLError) and error.reason in NO_TLS:
        return "it does not speak TLS: its address may begin with tcp://"
    if isinstance(error, ssl.SSLEOFError) or "SSLEOFError" in text:
        return "it hung up: it may not take the certificate of cluster.certificate"
    if isinstance(error, socket.gaierror):
        return "nobody knows this name"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, ConnectionResetError) or "ConnectionResetError" in text:
        return "it hung up: its address may begin with tls://"
    if isinstance(error, MemoryError):
        return "what listens there is no Dask scheduler"
    if isinstance(error, TimeoutError) and not text:
        return "it does not answer"
    return ""
