"""Clients of the event stream, in a process of their own: they count what they get.

`python -m tests.benchmarks.sse_clients PORT TOKEN CLIENTS BREAKS SINCE`: one line of JSON at the
end of standard input.
"""

import json
import os
import random
import re
import select
import socket
import sys
import time
from datetime import datetime
from typing import Final

_ID: Final = re.compile(rb"^id: (\d+)\ndata", re.MULTILINE)
_AT: Final = re.compile(rb'"at":"([^"]+)"')
SEED: Final = 7


class Client:
    """One of them. `last` is the seq of the last whole event."""

    def __init__(self, port: int, token: str, since: int, *, is_timed: bool) -> None:
        self.is_timed = is_timed
        self._port, self._token = port, token
        self.last, self.lost, self.doubled = since, 0, 0
        self.waits: list[float] = []
        self.connect()

    def connect(self) -> None:
        """Connect, and go on after the last event."""
        self.socket = socket.create_connection(("127.0.0.1", self._port), 60)
        head = (
            f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Bearer {self._token}\r\nLast-Event-ID: {self.last}\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        self._rest = b""

    def read(self) -> bool:
        """Take what came; whether the connection stands."""
        try:
            piece = self.socket.recv(1 << 18)
        except ConnectionError:
            return False
        whole, separator, self._rest = (self._rest + piece).rpartition(b"\n\n")
        seqs = [int(number) for number in _ID.findall(whole + separator)]
        if seqs and seqs == list(range(self.last + 1, self.last + 1 + len(seqs))):
            self.last = seqs[-1]
        else:
            for seq in seqs:
                self.doubled += seq <= self.last
                self.lost += max(0, seq - self.last - 1)
                self.last = max(seq, self.last)
        if seqs and self.is_timed:
            sent = _AT.findall(whole)[-1]
            self.waits.append(
                1000 * (time.time() - datetime.fromisoformat(sent.decode()).timestamp())
            )
        return bool(piece)


def main(port: int, token: str, count: int, breaks: int, since: int) -> None:
    """Follow until standard input says the seq of the last event, and all have it."""
    clients = [Client(port, token, since, is_timed=number == 0) for number in range(count)]
    poll = select.epoll()
    by_fd = {}
    for one in clients:
        by_fd[one.socket.fileno()] = one
        poll.register(one.socket, select.EPOLLIN)
    stdin = sys.stdin.fileno()
    poll.register(stdin, select.EPOLLIN)
    print("ready", flush=True)
    chance, last, left = random.Random(SEED), None, breaks
    next_break = time.monotonic()
    cut = 0

    def again(one: Client) -> None:
        del by_fd[one.socket.fileno()]
        poll.unregister(one.socket)
        one.socket.close()
        one.connect()
        by_fd[one.socket.fileno()] = one
        poll.register(one.socket, select.EPOLLIN)

    while last is None or left or any(one.last < last for one in clients):
        for fd, _ in poll.poll(0.02):
            if fd == stdin:
                last = int(os.read(stdin, 100))
                poll.unregister(stdin)
            elif not by_fd[fd].read():
                cut += 1
                again(by_fd[fd])
        if left and time.monotonic() > next_break:
            again(chance.choice(clients))
            left -= 1
            next_break += 0.015
    waits = sorted(wait for one in clients for wait in one.waits)
    told = {
        "lost": sum(one.lost for one in clients),
        "doubled": sum(one.doubled for one in clients),
        "breaks": breaks - left,
        "cut": cut,
        "p50": waits[len(waits) // 2] if waits else 0,
        "p99": waits[len(waits) * 99 // 100] if waits else 0,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
