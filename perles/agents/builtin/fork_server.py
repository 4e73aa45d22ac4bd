"""Forks the process of each command: `python -I -S fork_server.py OPEN_FILES`, a socket as stdin.

Starting an interpreter for each of thousands of tasks would cost ten times as much as the tasks.
So one process that has all it needs waits for the engine's requests, and a fork of it leads the
session of one command: it sees the command to its end, and leaves how that was in the status
file. It needs no engine for that. The server goes once its engine and all its forks are gone.

A request is its length in four bytes, then JSON: a command, with which the descriptor of its
output file comes, or `{"ended": PID}`. The answer is a line: `pid N`, `error N`, or
`ended PID CODE` (-1 where it was not killed). A fork whose status file could not be written sends
the line `told PID CODE WORDS`.
"""

import errno
import os
import resource
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOCKS = 10
"""RLIMIT_LOCKS, whose value marks the processes of a turn; see `executor.local.watermark`."""
_UNKNOWN = 70
_FULL = 0.5
"""Seconds between two tries to leave a status on a full disk."""
_LOOK = 1.0
"""Seconds between two looks for forks that ended, while there are any."""


def _start() -> None:
    root = __file__.rsplit("/perles/agents/builtin/", 1)[0]
    sys.path.insert(0, root)
    from perles.agents.builtin import fork_server

    fork_server.serve(int(sys.argv[1]))


def serve(open_files: int) -> None:
    """Serve requests until the engine is gone, and then see what is left to its end."""
    from perles.agents.builtin.lean_stdlib import loads, socket

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, hard))
    engine, parent, forks = socket(fileno=os.dup(0)), os.getppid(), _Forks()
    while True:
        engine.settimeout(_LOOK if forks.left else None)
        try:
            received = _receive(engine)
        except TimeoutError:
            forks.look()
            continue
        if received is None or os.getppid() != parent:
            forks.see_off()
            return
        body, output = received
        asked = loads(body)
        if output is None:
            answer = forks.told(asked["ended"])
        else:
            answer = _started(forks, engine, asked, output)
            os.close(output)
        engine.sendall(f"{answer}\n".encode())


class _Forks:
    """The forks whose status was not taken yet, by pid, with their status files."""

    def __init__(self) -> None:
        self.left: dict[int, str] = {}

    def look(self) -> None:
        """Take the status of the children that have ended."""
        for pid in list(self.left):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._took(pid, status)

    def see_off(self) -> None:
        """Wait for all."""
        while self.left:
            self._took(*os.waitpid(-1, 0))

    def told(self, pid: int) -> str:
        """How a fork ended that left no status: it was killed."""
        code = -1
        if pid in self.left:
            ended, status = os.waitpid(pid, os.WNOHANG)
            code = self._took(pid, status) if ended else -1
        return f"ended {pid} {code}"

    def _took(self, pid: int, status: int) -> int:
        """The exit code of a fork that was killed, which its file tells from now on; else -1."""
        path = self.left.pop(pid)
        if not os.WIFSIGNALED(status):
            return -1
        code = 128 + os.WTERMSIG(status)
        folder = _opened(os.path.dirname(path))
        if folder is not None:
            _leave(folder, os.path.basename(path), f"exit {code}\n".encode())
            os.close(folder)
        return code


def _receive(engine: "Any") -> tuple[bytes, int | None] | None:
    """One request, and the output's descriptor with it; None where the engine is gone."""
    head, ancillary, _flags, _address = engine.recvmsg(4, 64)
    if not head:
        return None
    engine.settimeout(None)
    while len(head) < 4:
        head += engine.recv(4 - len(head))
    left, pieces = int.from_bytes(head, "big"), []
    while left:
        piece = engine.recv(min(left, 1 << 20))
        if not piece:
            return None
        pieces.append(piece)
        left -= len(piece)
    if not ancillary:
        return b"".join(pieces), None
    output = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
    os.set_inheritable(output, False)  # a command has it as its output alone
    return b"".join(pieces), output


def _started(forks: _Forks, engine: "Any", asked: "dict[str, Any]", output: int) -> str:
    """Fork the leader of a command; the answer."""
    from perles.agents.builtin.lean_stdlib import signal

    forks.look()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    soft, hard = resource.getrlimit(LOCKS)
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # a fork is ready for them a moment later
    try:
        if asked["mark"] is not None:
            resource.setrlimit(LOCKS, (asked["mark"], hard))
        # The engine finds by a leader's own output which file is its turn's.
        os.dup2(output, 1)
        os.dup2(output, 2)
        pid = os.fork()
        if pid == 0:
            _be_leader(engine, asked, output)
        forks.left[pid] = asked["status"]
        answer = f"pid {pid}"
    except OSError as error:
        answer = f"error {error.errno}"
    if asked["mark"] is not None:
        resource.setrlimit(LOCKS, (soft, hard))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return answer


def _be_leader(engine: "Any", asked: "dict[str, Any]", output: int) -> None:
    """Lead the session of a command, to its end. Never returns."""
    code = _UNKNOWN
    try:
        os.setsid()
        os.close(0)
        code = _lead(engine, asked, output)
    finally:
        os._exit(code)


def _lead(engine: "Any", asked: "dict[str, Any]", output: int) -> int:
    from perles.agents.builtin import command
    from perles.agents.builtin.lean_stdlib import signal

    signal.signal(signal.SIGTERM, command.stop)
    signal.signal(signal.SIGINT, command.stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    words = ""
    folder = _opened(os.path.dirname(asked["status"]))
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if asked["umask"] is not None:
            os.umask(asked["umask"])
        code, words = command.carry_out(asked, output)
    except command.Stopped:
        code = command.STOPPED
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = f"{code} {words}".strip().replace("\n", " ")
    line = f"exit {said}\n".encode(errors="replace")
    name = os.path.basename(asked["status"])
    problem = errno.ENOENT if folder is None else _leave(folder, name, line)
    # On a full disk the engine cannot note it either: the status is kept until there is room.
    while folder is not None and problem in (errno.ENOSPC, errno.EDQUOT):
        time.sleep(_FULL)
        problem = _leave(folder, name, line)
    if problem:
        engine.sendall(f"told {os.getpid()} {said}\n".encode(errors="replace"))
    return code


def _opened(folder: str) -> "int | None":
    """The folder of the turn's files, held open: it may be moved while the command runs."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _leave(folder: int, name: str, line: bytes) -> int:
    """Leave the status in its file, in whose place nothing may stand; 0, or why not, as an errno.

    That is a full disk, a deleted folder, or something of the command's that stands there.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        file = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            while line:
                line = line[os.write(file, line) :]
        except OSError:
            os.unlink(name, dir_fd=folder)  # a part would stand in the way of the next try
            raise
        finally:
            os.close(file)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


if __name__ == "__main__":
    _start()
