"""Who listens on this machine, and whether it answers. Each question is bounded."""

import asyncio
import os
import ssl
from typing import Final
from urllib.parse import urlsplit

ANSWER_SECONDS: Final = 2.0
"""How long a connection may take, and an answer over it."""


async def tcp(host: str, port: int) -> str | None:
    """Connect once: None where somebody listens, else why not."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no connection within {ANSWER_SECONDS:g}s"
    except OSError as error:
        return _why(error)
    writer.close()
    return None


async def http(url: str) -> str | None:
    """Ask once: None where the answer is good, else why not.

    Only the status counts: nothing else of the answer is read, and no certificate is checked.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    asked = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
    asked += "User-Agent: perles\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=_unchecked() if secure else None
            )
            try:
                writer.write(asked.encode("ascii"))
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {2 * ANSWER_SECONDS:g}s"
    except (OSError, ValueError) as error:
        return _why(error) if isinstance(error, OSError) else "an answer that is no HTTP"
    words = line.decode("latin-1").split()
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
        return "an answer that is no HTTP"
    return None if int(words[1]) < 400 else f"status {int(words[1])}"


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _why(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error)[:200] or "the connection was cut"


def holder_of(port: int) -> str | None:
    """Who listens on a port of this machine, in words; None where nobody does."""
    import psutil  # each engine starts without it, and few have services

    try:
        for one in psutil.net_connections(kind="tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port:
                return "another user's process" if one.pid is None else _process(one.pid)
    except psutil.Error:
        return None  # this machine does not tell; the service itself will
    return None


def _process(pid: int) -> str:
    import psutil

    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"  # it ended meanwhile
