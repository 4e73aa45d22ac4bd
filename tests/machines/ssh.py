"""OpenSSH's own server on each machine, and a client that has its settings from a folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import psutil

from tests.cluster.dask_cluster import wait_for
from tests.machines.namespaces import Machines

PORT = 2222


class SshServers:
    """A server on each machine: `box1` … for `ssh` of the PATH in `bin`. Needs root."""

    def __init__(self, folder: Path, machines: Machines) -> None:
        self.folder, self.machines, self.bin = folder, machines, folder / "bin"
        self.started: list[subprocess.Popen[bytes]] = []
        self.bin.mkdir(parents=True)
        for name in ("key", "wrong", "host"):
            file = str(folder / name)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        self.use_key("key")
        program = self.bin / "ssh"
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
        program.chmod(0o755)
        kind, key = (folder / "host.pub").read_text().split()[:2]
        hosts = (f"[{machines.address(n)}]:{PORT} {kind} {key}\n" for n in self._numbers())
        (folder / "known_hosts").write_text("".join(hosts))
        Path("/run/sshd").mkdir(exist_ok=True)  # where it gives up its rights
        for number in self._numbers():
            self.start(number)

    def _numbers(self) -> range:
        return range(1, self.machines.count + 1)

    def use_key(self, name: str) -> None:
        """Have the client show this key from now on."""
        hosts = (
            f"Host box{n}\n  HostName {self.machines.address(n)}\n  Port {PORT}\n"
            for n in self._numbers()
        )
        rest = f"Host *\n  User root\n  IdentityFile {self.folder}/{name}\n  IdentitiesOnly yes\n"
        known = f"  UserKnownHostsFile {self.folder}/known_hosts\n"
        (self.folder / "config").write_text("".join(hosts) + rest + known)

    def start(self, number: int) -> None:
        """Start the server of a machine, whose node has a folder of its own."""
        address, config = self.machines.address(number), self.folder / f"sshd{number}"
        config.write_text(
            f"Port {PORT}\nListenAddress {address}\nHostKey {self.folder}/host\n"
            f"AuthorizedKeysFile {self.folder}/key.pub\nStrictModes no\nPermitRootLogin yes\n"
            f"PasswordAuthentication no\nUsePAM no\nPidFile none\n"
            # A home without the settings of this machine's shells.
            f"SetEnv HOME={self.folder} PERLES_NODE_DIR={self.folder.parent}/box{number}\n"
        )
        log = self.folder / f"sshd{number}.log"
        program = ["/usr/sbin/sshd", "-D", "-E", str(log), "-f", str(config)]
        self.started.append(subprocess.Popen([*self.machines.prefix(number), *program]))
        wait_for(f"sshd of box{number}", lambda: _answers(address))

    def close(self) -> None:
        """End the servers and their connections."""
        for one in self.started:
            for child in psutil.Process(one.pid).children(recursive=True):
                child.kill()
            one.kill()
            one.wait()


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=1.0) as made:
            return made.recv(4) == b"SSH-"
    except OSError:
        return False


def missing() -> str:
    """What is not there, "" for nothing."""
    if os.geteuid() != 0:
        return "no root"
    programs = ("ssh", "ssh-keygen", "/usr/sbin/sshd")
    return next((f"no {one}" for one in programs if not shutil.which(one)), "")
