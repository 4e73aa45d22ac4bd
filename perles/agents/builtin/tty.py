"""Runs a command on a terminal of its own: `python -I -S tty.py PROGRAM [ARGUMENT…]`.

What it prints there goes to this process's output as it is. A program that reads from the
terminal finds its end. This process ends as the command does.
"""

import errno
import fcntl
import os
import select
import signal
import struct
import sys
import termios

ROWS, COLUMNS = 24, 80
NOT_FOUND = 127
_PIECE = 64 * 1024
_LOOK = 0.05
_END = b"\x04"
_ENDING = (signal.SIGTERM, signal.SIGINT)


def run(command: list[str]) -> int:
    """Run the command to its end; its exit code, as a shell has it."""
    master, slave = os.openpty()
    _set_up(slave)
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    pid = os.fork()
    if pid == 0:
        _become(command, master, slave)
    os.close(slave)
    os.write(master, _END)
    code = os.waitstatus_to_exitcode(_copy_until_end(master, pid))
    return code if code >= 0 else 128 - code


def _set_up(slave: int) -> None:
    """Its size; nothing typed is shown, and the end of a line stays one character."""
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    flags = termios.tcgetattr(slave)
    flags[1] &= ~termios.ONLCR
    flags[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, flags)


def _become(command: list[str], master: int, slave: int) -> None:
    """In the child: lead a session on the terminal, and become the command."""
    os.close(master)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(slave, number)
    if slave > 2:
        os.close(slave)
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        os.environ["TERM"] = "xterm-256color"
    try:
        os.execvp(command[0], command)  # noqa: S606 - the task's own program
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(NOT_FOUND)


def _forward(pid: int) -> None:
    """Hand on what our parent sent, which knows this process alone.

    Others tell all that belongs to the turn, and the command would have each signal twice.
    """
    asked = signal.sigtimedwait(_ENDING, 0)
    if asked is not None and asked.si_pid == os.getppid():
        try:
            os.killpg(pid, asked.si_signo)
        except ProcessLookupError:
            return


def _copy_until_end(master: int, pid: int) -> int:
    """Hand on what is printed until the command has ended; its wait status.

    What it left in the background may have the terminal open still.
    """
    status = None
    while True:
        _forward(pid)
        is_readable = bool(select.select([master], [], [], 0 if status is not None else _LOOK)[0])
        if is_readable and not _copy(master):
            return os.waitpid(pid, 0)[1] if status is None else status
        if not is_readable and status is not None:
            return status
        if status is None:
            ended, found = os.waitpid(pid, os.WNOHANG)
            status = found if ended else None


def _copy(master: int) -> bool:
    """Hand on one piece; whether there was one."""
    try:
        piece = os.read(master, _PIECE)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return False  # nobody has the terminal open any more
    while piece:
        piece = piece[os.write(1, piece) :]
    return True


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
