"""What a watchdog of the tests starts as its engine: `python -I -S … CHANNEL COMMAND…`.

The first time a fork waits behind the channel to be that engine, with the environment and the
arguments from here, and this ends as the fork ends. When the watchdog starts the engine again,
that fork is gone, and this becomes the real command. The fork's parent is the watchdog, whose
status it is: a fork that does not tell how it ended counts as killed.
"""

import _socket
import marshal
import os
import signal
import sys

_SIZE = 8


def _main() -> int:
    channel = _socket.socket(fileno=int(sys.argv[1]))
    command = sys.argv[2:]
    told = marshal.dumps((dict(os.environ), command))
    try:
        channel.sendall(len(told).to_bytes(_SIZE, "big") + told)
    except OSError:
        channel.close()
        os.execv(command[0], command)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        code = channel.recv(_SIZE)
    except OSError:
        code = b""
    if not code:
        os.kill(os.getpid(), signal.SIGKILL)
    return int.from_bytes(code, "big")


if __name__ == "__main__":
    sys.exit(_main())
