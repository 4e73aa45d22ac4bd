"""What a node does with the signals of its terminal."""

import asyncio
import signal

import pytest

from perles.node.main import _obey_signals

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_node_started_by_nohup_outlives_its_terminal(before: signal.Handlers) -> None:
    were = {number: signal.getsignal(number) for number in NUMBERS}

    async def ignores() -> bool:
        _obey_signals()
        return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    signal.signal(signal.SIGHUP, before)
    try:
        assert asyncio.run(ignores()) == (before is signal.SIG_IGN)
    finally:
        for number, handler in were.items():
            signal.signal(number, handler)
