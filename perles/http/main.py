"""The process that serves HTTP: beside the engine, so that nothing here slows it down.

It ends with the process that started it: its standard input is a pipe of that process.
"""

import asyncio
import logging
import os
import signal
import sys
from typing import Final

from perles.config.home import home
from perles.config.model import Http
from perles.controlplane.http_address import Announcement
from perles.domain.errors import PerlesError
from perles.http.guard import Address
from perles.http.server import Server
from perles.http.settings import address_of, refuse_open, tls_of
from perles.http.token_facade import Base

log = logging.getLogger("perles.http")

_AGAIN_SECONDS: Final = 0.5


async def run(base: Base, settings: Http, address: Address) -> None:
    """Serve until standard input ends, or a signal comes."""
    context = tls_of(settings)
    announcement = Announcement(base.paths.root)
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), done.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    server = Server(base, address)
    try:
        if not await _begin(server, context, announcement, done):
            return
        announcement.tell(address.url)
        log.info("HTTP is served at %s", address.url)
        await done.wait()
        await server.close()
    finally:
        announcement.withdraw()


async def _begin(
    server: Server, context: "object", announcement: Announcement, done: asyncio.Event
) -> bool:
    """Listen, as soon as another server of this home, or of this port, has ended."""
    told = ""
    while not done.is_set():
        try:
            if announcement.take():
                await server.start(context)  # type: ignore[arg-type]
                return True
            why = "another process serves HTTP for this home"
        except OSError as error:
            announcement.withdraw()
            why = f"cannot listen at {server.address.url}: {error.strerror or error}"
        if why != told:
            log.warning("%s; trying again", why)
            told = why
        try:
            async with asyncio.timeout(_AGAIN_SECONDS):
                await done.wait()
        except TimeoutError:
            continue
    return False


def main() -> int:
    """Serve HTTP as the configuration says. The exit code is that of the error, if one is met."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("perles").setLevel(logging.INFO)
    base = Base(home(os.environ))
    try:
        settings = base.engine_config().http
        address = address_of(settings)
        if address is None:
            return 0
        refuse_open(address, has_token=base.has_token())
        asyncio.run(run(base, settings, address))
    except PerlesError as error:
        log.warning("%s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
