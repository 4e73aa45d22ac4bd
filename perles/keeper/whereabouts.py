"""Which process is the keeper of a home folder."""

import os
import socket
import struct
from pathlib import Path

from perles.keeper.main import SOCKET_NAME


def connect(home: Path) -> socket.socket:
    """A channel to the keeper, which closes it unless we are the engine. Raises `OSError`."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # A socket's address holds 107 bytes, fewer than many a home folder's name.
            channel.connect(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
        finally:
            os.close(folder)
    except OSError:
        channel.close()
        raise
    return channel


def peer(channel: socket.socket) -> int:
    """The pid at the other end."""
    pid, _, _ = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def keeper_of(home: Path) -> int | None:
    """The pid of the home's keeper; None where there is none."""
    try:
        with connect(home) as channel:
            return peer(channel)
    except OSError:
        return None
