"""The ports that are held, and the calls of agents on them."""

import errno
import time
from _socket import socket
from collections import deque

from perles.keeper.exchange import Exchange
from perles.keeper.loop import READ, Loop, accept
from perles.keeper.refusals import Refusals
from perles.keeper.request import Refused

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable

    Offer = Callable[[bytes, socket | None], bool]

CONNECTIONS = 256
"""At one port, at once."""
ALL_CONNECTIONS = 1024
"""At all ports together."""
MEMORY = 64 * 1024 * 1024
"""Bytes of requests and answers, all together."""
TICK = 1.0
MINUTE = 60.0
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Calls:
    """Everything between agents and the engine of the moment."""

    def __init__(self, loop: Loop, offer: "Offer") -> None:
        self._loop = loop
        self._offer = offer
        self._listeners: dict[str, socket] = {}
        self._exchanges: dict[str, dict[Exchange, None]] = {}
        self._waiting: deque[Exchange] = deque()
        self._served = False
        self._refusals = Refusals()
        self._deaf = False
        self._ticked = time.monotonic()

    def workflows(self) -> dict[str, socket]:
        """The listening sockets, by workflow."""
        return self._listeners

    def hold(self, workflow: str, listener: socket) -> None:
        """Accept calls on this socket from now on, instead of another one of this workflow."""
        self.drop(workflow)
        listener.setblocking(False)
        self._listeners[workflow] = listener
        self._exchanges[workflow] = {}
        self._listen(workflow, listener)

    def drop(self, workflow: str) -> None:
        """Hold its port no more; waiting clients are let go."""
        listener = self._listeners.pop(workflow, None)
        if listener is not None:
            self._loop.forget(listener)
            listener.close()
            for exchange in list(self._exchanges[workflow]):
                exchange.close()
            del self._exchanges[workflow]
            self._refusals.forget(workflow)

    def serve(self) -> None:
        """The engine takes calls from now on."""
        self._served = True
        self.ask_all()
        self._tell()

    def withdraw(self) -> None:
        """No engine takes calls now: what was asked and not answered waits for the next one."""
        self._served = False
        for exchanges in self._exchanges.values():
            for exchange in list(exchanges):
                if exchange.is_read and exchange not in self._waiting:
                    exchange.withdraw()
                    exchange.tries = 0
                    if exchange in exchanges:
                        self._waiting.append(exchange)

    def ask(self, exchange: Exchange) -> None:
        """Give a request to the engine, now or when there is one."""
        self._waiting.append(exchange)
        self.ask_all()

    def ended(self, exchange: Exchange) -> None:
        """An exchange is over."""
        self._exchanges[exchange.workflow].pop(exchange, None)
        if exchange in self._waiting:
            self._waiting.remove(exchange)

    def refused(self, workflow: str, status: int, why: str) -> None:
        """Somebody was turned away; the engine is told."""
        self._refusals.add(workflow, status, why)
        self._tell()

    def patience(self, otherwise: float) -> float:
        """How long the loop may wait: seconds, -1 without end."""
        reading = any(e.deadline for all_ in self._exchanges.values() for e in all_)
        if reading or self._deaf or (self._waiting and self._served):
            return TICK
        if self._refusals and self._served:
            return MINUTE if otherwise < 0 else min(otherwise, MINUTE)
        return otherwise

    def tick(self) -> None:
        """Let go of who takes too long, and try again what there was no room for."""
        now = time.monotonic()
        if now - self._ticked < TICK:
            return
        self._ticked = now
        for exchanges in self._exchanges.values():
            for exchange in list(exchanges):
                if exchange.deadline is not None and now > exchange.deadline:
                    exchange.overdue()
        if self._deaf:
            self._deaf = False
            for workflow, listener in self._listeners.items():
                self._listen(workflow, listener)
        self.ask_all()
        self._tell()

    def _listen(self, workflow: str, listener: socket) -> None:
        self._loop.watch(listener, READ, lambda _: self._accept(workflow, listener))

    def _accept(self, workflow: str, listener: socket) -> None:
        try:
            client = accept(listener)
        except OSError as error:
            if error.errno in _SHORT:
                self._be_deaf(workflow)
            return  # else the client has gone again
        exchanges = self._exchanges[workflow]
        exchange = Exchange(self._loop, self, workflow, client)
        exchanges[exchange] = None
        total = sum(map(len, self._exchanges.values()))
        if len(exchanges) > CONNECTIONS or total > ALL_CONNECTIONS:
            slow = next((each for each in exchanges if not each.is_read), exchange)
            slow.refuse(Refused(503, "too many connections"))

    def has_room(self, length: int) -> bool:
        """Whether a body of this length can be read now."""
        held = sum(each.size for all_ in self._exchanges.values() for each in all_)
        return held + length <= MEMORY

    def _be_deaf(self, workflow: str) -> None:
        """No descriptor is free: listen again in a moment, and let a slow one go."""
        self._refusals.add(workflow, 503, "no file descriptor is free")
        self._deaf = True
        for listener in self._listeners.values():
            self._loop.forget(listener)
        for exchanges in self._exchanges.values():
            slow = next((each for each in exchanges if not each.is_read), None)
            if slow is not None:
                slow.close()

    def ask_all(self) -> None:
        """Ask the engine what waits, as far as it takes it now."""
        while self._served and self._waiting:
            exchange = self._waiting[0]
            try:
                given = exchange.ask()
            except OSError:
                return  # short of descriptors; the next tick tries again
            taken = self._offer(f"call {exchange.workflow}".encode(), given)
            given.close()
            if not taken:
                exchange.withdraw()
                return
            self._waiting.popleft()

    def _tell(self) -> None:
        for workflow, status, why, count in self._refusals.due() if self._served else ():
            # Where the engine's channel is full, this count is not worth a queue.
            self._offer(f"refused {status} {count} {workflow} {why}".encode(), None)
