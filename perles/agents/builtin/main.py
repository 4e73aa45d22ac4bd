"""Starts the builtin coordinator: `python -I -S main.py`.

It only finds the package and hands over, so that all else comes from cached bytecode.
"""

import sys


def _start() -> int:
    root = __file__.rsplit("/perles/agents/builtin/", 1)[0]
    sys.path.insert(0, root)
    from perles.agents.builtin import coordinator

    return coordinator.run()


if __name__ == "__main__":
    sys.exit(_start())
