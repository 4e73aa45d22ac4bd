"""Short commands beside the turns: checks of tasks, probes of services. Each is waited for.

They carry a mark of their own, so that an engine which starts after one that was killed ends
what that left: its caller asks again.
"""

import asyncio
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from perles.domain.marks import ASIDE, of_aside
from perles.executor.contract import LEFTOVERS_GRACE
from perles.executor.local import processes, termination, watermark
from perles.executor.local.identity import look


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    workflow_id: str,
    output: int | None,
    seconds: float,
) -> int | None:
    """Run a command to its end; its exit code, -N for signal N, None where the time was up.

    What it started is ended with it. `output` is a descriptor, None throws away. Raises `OSError`.
    """
    marks = of_aside(workflow_id, uuid.uuid4().hex)
    to = subprocess.DEVNULL if output is None else output
    with watermark.given(f"{workflow_id}/0"):
        # Within the mark, which holds for whatever this process starts: nothing may come between.
        child = subprocess.Popen(  # noqa: ASYNC220
            list(argv),
            cwd=cwd,
            env={**env, **marks},
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=to,
            start_new_session=True,
        )
    try:
        is_over = await _ended(child, seconds)
    finally:
        code = await _end(child, marks[ASIDE])
    return code if is_over else None


async def _ended(child: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether it ends by itself within this time."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    held = os.pidfd_open(child.pid)
    loop.add_reader(held, over.set)
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await over.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(held)
        os.close(held)
    return True


async def _end(child: "subprocess.Popen[bytes]", mark: str) -> int:
    """End all that is left of it, at once; the exit code."""
    markers, session = [f"{ASIDE}={mark}"], [child.pid]
    begun = look(child.pid)
    since = begun[2] if begun is not None else 0

    def send(_: signal.Signals) -> int:
        return processes.signal_family(signal.SIGKILL, markers, session, since=since)

    await termination.end(
        send, lambda: processes.family(markers, session, since=since), grace=termination.AGAIN
    )
    return child.wait()


async def end_left(is_ours: Callable[[str], bool]) -> list[int]:
    """End what an engine that died left of such commands, of workflows that are ours."""

    def left() -> list[tuple[int, str]]:
        found = (
            (pid, mark.decode(errors="replace")) for pid, mark in processes.with_variable(ASIDE)
        )
        return [(pid, f"{ASIDE}={mark}") for pid, mark in found if is_ours(mark.partition("/")[0])]

    def send(number: signal.Signals) -> int:
        markers = {marker for _, marker in left()}
        return processes.signal_family(number, markers) if markers else 0

    found = left()
    if found:
        await termination.end(send, left, grace=LEFTOVERS_GRACE)
    return [pid for pid, _ in found]
