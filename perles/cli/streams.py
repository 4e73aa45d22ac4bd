"""Standard output and its like, as the parent process left them: closed, full, or not UTF-8."""

import errno
import os
import sys
from typing import Final

_UNPRINTABLE: Final = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def settle() -> None:
    """Put nothing in the place of what is closed, and let no letter be too wide to print.

    A number that stays free goes to the next file that is opened, and a child that
    prints would print into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            free = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(free, free == number)
            setattr(sys, name, os.fdopen(free, mode))
        elif mode == "w" and stream.encoding != "utf-8":
            stream.reconfigure(errors="backslashreplace")


def cannot_print(error: OSError) -> bool:
    """Whether the error is that nothing more can be printed; then nothing more is."""
    if error.filename is not None or error.errno not in _UNPRINTABLE:
        return False
    # What is still to be printed goes nowhere: the interpreter would complain at its exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
