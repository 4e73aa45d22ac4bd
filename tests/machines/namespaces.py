"""Network namespaces as machines: each has its own interface and address, on one bridge."""

from __future__ import annotations

import os
import subprocess


class Machines:
    """Namespaces `NAME-box1` …, reached from here by a bridge. Needs root."""

    def __init__(self, count: int) -> None:
        self.holders: list[subprocess.Popen[bytes]] = []
        self.tag = f"pt{os.getpid() % 10000}"
        self.net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.count = count

    @property
    def host(self) -> str:
        """The address of this side."""
        return f"{self.net}.1"

    def address(self, number: int) -> str:
        """The address of a machine, counted from 1."""
        return f"{self.net}.{number + 1}"

    def prefix(self, number: int) -> tuple[str, ...]:
        """What begins a command that runs on a machine."""
        return ("nsenter", "-t", str(self.holders[number - 1].pid), "-n", "-u", "-m", "--")

    def make(self) -> None:
        """Make all of them. Raises `OSError` where that is not allowed."""
        _ip("link", "add", f"{self.tag}b", "type", "bridge")
        _ip("addr", "add", f"{self.host}/24", "dev", f"{self.tag}b")
        _ip("link", "set", f"{self.tag}b", "up")
        for number in range(1, self.count + 1):
            space, cable = f"{self.tag}-box{number}", self._cable(number)
            _ip("netns", "add", space)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", cable, "master", f"{self.tag}b")
            _ip("link", "set", cable, "up")
            _ip("-n", space, "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "route", "add", "default", "via", self.host)
            self.holders.append(_boot(space, f"box{number}"))

    def pull(self, number: int) -> None:
        """Pull the cable of a machine."""
        _ip("link", "set", self._cable(number), "down")

    def plug(self, number: int) -> None:
        """Put it back."""
        _ip("link", "set", self._cable(number), "up")

    def close(self) -> None:
        """Remove all of them."""
        for holder in self.holders:
            holder.kill()
            holder.communicate()
        for number in range(1, self.count + 1):
            _ip("link", "del", self._cable(number), check=False)
            _ip("netns", "del", f"{self.tag}-box{number}", check=False)
        _ip("link", "del", f"{self.tag}b", check=False)

    def _cable(self, number: int) -> str:
        return f"{self.tag}v{number}"


def _boot(space: str, name: str) -> subprocess.Popen[bytes]:
    """A process that holds the machine's own name and mounts, once it has them."""
    script = f"hostname {name} && echo up && exec sleep infinity"
    unshare = ["unshare", "--uts", "--mount", "--propagation", "slave", "sh", "-c", script]
    made = subprocess.Popen(["ip", "netns", "exec", space, *unshare], stdout=subprocess.PIPE)
    assert made.stdout is not None
    if made.stdout.readline() != b"up\n":
        raise OSError(f"cannot unshare the names of {name}")
    return made


def _ip(*arguments: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
