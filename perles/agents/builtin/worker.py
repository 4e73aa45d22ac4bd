"""The builtin worker's turn without a command: it has nothing to do but to say that it is there.

The commands of tasks are carried out without it: see `fork_server`.
"""

import os
import sys

from perles.agents.builtin.client import CallFailed, Client


def run() -> int:
    """Take the messages on stdin; the exit status."""
    sys.stdin.buffer.read()
    try:
        if os.environ.get("PERLES_TURN_NUMBER") == "1":
            Client.from_environment().call("signal_ready")
    except CallFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0
