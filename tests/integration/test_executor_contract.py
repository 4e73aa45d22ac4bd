"""What every executor promises the engine, as tests: `perles/executor/contract.py`.

Another implementation passes them, too: it is added to `EXECUTORS`.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import pytest

from perles.agents.builtin.provider import TextParser
from perles.agents.provider import Launch
from perles.executor.contract import (
    Executor,
    Identity,
    Process,
    SpawnError,
    TurnFiles,
    TurnKey,
)
from perles.executor.local.executor import LocalExecutor
from perles.executor.local.identity import identify
from perles.executor.local.processes import family
from tests.integration.cli import DEADLINE
from tests.integration.nodes import on_a_node, stop_nodes

EXECUTORS: list[Callable[[Path], Executor]] = [lambda _: LocalExecutor(), on_a_node]
T = TypeVar("T")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
TURN = TurnKey(f"wf-cccccc{WORKER.zfill(2)}", 7)
PATIENCE = DEADLINE
STARTER = """
import os, sys
from pathlib import Path
from tests.integration.test_executor_contract import Stage
stage = Stage(int(sys.argv[1]), Path(sys.argv[2]))
found = stage.start(stage.process(), sys.argv[3])
print(found.pid, found.start_ticks, found.boot_id, flush=True)
os.kill(os.getpid(), 9)
"""


class Stage:
    """One turn's files, and the ways to its process."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.executor = EXECUTORS[number](folder)
        self.folder = folder
        self.files = TurnFiles.at(folder / "turn-1.out")

    def process(self, identity: Identity | None = None, turn: TurnKey = TURN) -> Process:
        """The turn's process, as a row tells of it."""
        return self.executor.process(turn, self.files, identity, text_only=True)

    def start(self, process: Process, script: str) -> Identity:
        """Start a shell script as the turn's agent."""
        key = process.turn
        marks = {
            "PERLES_WORKFLOW": key.workflow_id,
            "PERLES_TURN": f"{key.workflow_id}/{key.turn_id}",
        }
        launch = Launch(argv=["/bin/sh", "-c", script])
        started = process.start(launch, cwd=self.folder, env={**os.environ, **marks})
        return asyncio.run(_awaited(started))


@pytest.fixture(params=range(len(EXECUTORS)))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A stage for each executor; nothing of its turn is left afterwards."""
    made = Stage(request.param, tmp_path)
    yield made
    asyncio.run(made.executor.end_workflow(TURN.workflow_id, grace=0.0))
    made.executor.close()
    stop_nodes(tmp_path)


def _attach(process: Process) -> bool:
    return asyncio.run(_awaited(process.attach()))


def _remains(stage: Stage, processes: Sequence[Process]) -> bool:
    return asyncio.run(_awaited(stage.executor.remains(processes)))


def _wait_for(condition: Callable[[], Any]) -> Any:
    deadline = monotonic() + PATIENCE
    while not (found := condition()):
        assert monotonic() < deadline, "it never came"
        sleep(0.01)
    return found


def _texts(process: Process, offset: int, *, ended: bool = False) -> tuple[str, int]:
    batch = process.read(offset, TextParser(), ended=ended)
    return "\n".join(event.text for event in batch.events), batch.offset


def _ended(process: Process) -> None:
    """Wait until the executor tells that the process has ended."""

    async def run() -> None:
        done = asyncio.Event()
        process.when_ended(done.set)
        async with asyncio.timeout(PATIENCE):
            await done.wait()

    asyncio.run(run())


def _orphaned(stage: Stage, script: str) -> Identity:
    """The process was started by one that was killed right after."""
    done = subprocess.run(
        [sys.executable, "-c", STARTER, str(stage.number), str(stage.folder), script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, ticks, boot = done.stdout.split()
    return Identity(int(pid), int(ticks), boot)


def test_a_process_reads_its_input_and_writes_its_output_and_errors(stage: Stage) -> None:
    process = stage.process()
    script = "cat; echo $MORE; echo bad >&2"
    started = process.start(
        Launch(argv=["/bin/sh", "-c", script], env={"MORE": "more"}, stdin=b"told\n"),
        cwd=stage.folder,
        env={"PERLES_TURN": f"{TURN.workflow_id}/{TURN.turn_id}", "PATH": os.environ["PATH"]},
    )
    asyncio.run(_awaited(started))
    _ended(process)

    assert _texts(process, 0, ended=True)[0] == "told\nmore"
    assert process.complaint() == "bad"
    assert process.written() == len("told\nmore\n") + len("bad\n")


def test_started_twice_is_one_process(stage: Stage) -> None:
    process = stage.process()
    first = stage.start(process, "echo x; exec sleep 60")
    again = stage.start(process, "echo x; exec sleep 60")
    other = stage.process()
    assert _wait_for(lambda: _attach(other))
    through_another = stage.start(other, "echo x; exec sleep 60")

    assert first == again == through_another
    _wait_for(process.size)
    assert process.size() == len("x\n")


def test_what_cannot_be_started_is_told(stage: Stage) -> None:
    process = stage.process()

    with pytest.raises(SpawnError, match="cannot start"):
        asyncio.run(
            _awaited(process.start(Launch(argv=["/bin/true"]), cwd=stage.folder / "no", env={}))
        )

    assert not process.lives()
    assert not _attach(process)


@pytest.mark.parametrize("is_known", [True, False], ids=["its row names it", "its row does not"])
def test_a_process_is_found_again_after_its_starter_was_killed(
    stage: Stage, is_known: bool
) -> None:
    os.mkfifo(stage.folder / "go")
    found = _orphaned(stage, "echo begins; read -r _ < go; echo ends")
    process = stage.process(found if is_known else None)

    assert _attach(process)
    assert process.identity == found
    assert process.lives()
    assert process.status() is None
    _wait_for(process.size)


def test_an_adopted_process_is_waited_for_and_its_status_is_kept(stage: Stage) -> None:
    os.mkfifo(stage.folder / "go")
    process = stage.process(_orphaned(stage, "echo begins; read -r _ < go; echo ends; exit 7"))
    assert _attach(process)
    _wait_for(process.size)
    text, offset = _texts(process, 0)
    assert text == "begins"

    (stage.folder / "go").write_text("\n")
    _ended(process)

    assert _texts(process, offset, ended=True)[0] == "ends"
    assert process.status() == 7
    assert process.reap() is None  # it was no child of ours
    assert not process.lives()
    assert stage.process().status() == 7


def test_output_is_read_on_from_an_offset_and_no_half_line(stage: Stage) -> None:
    os.mkfifo(stage.folder / "go")
    process = stage.process()
    stage.start(process, "echo one; printf tw; read -r _ < go; echo o; printf three")
    _wait_for(lambda: process.size() == len("one\ntw"))
    text, offset = _texts(process, 0)
    assert (text, offset) == ("one", len("one\n"))

    (stage.folder / "go").write_text("\n")
    _ended(process)

    later = stage.process()
    heard: list[str] = []

    class Listener(TextParser):
        def feed(self, line: str) -> Any:
            heard.append(line)
            return super().feed(line)

    later.replay(offset, Listener())
    assert heard == ["one"]
    assert _texts(later, offset, ended=True) == ("two\nthree", len("one\ntwo\nthree"))


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9), ("true", 0)])
def test_a_status_tells_how_it_ended(stage: Stage, script: str, code: int) -> None:
    process = stage.process()
    stage.start(process, script)
    _ended(process)

    assert process.status() == code
    assert stage.process(process.identity).status() == code


def test_a_status_of_an_earlier_try_is_none_of_the_next(stage: Stage) -> None:
    first = stage.process()
    stage.start(first, "exit 3")
    _ended(first)
    # On a node a second start of a turn is the first one: there each try is a turn of its own.
    is_here = isinstance(stage.executor, LocalExecutor)
    if is_here:
        _wait_for(first.reap)

    second = stage.process(turn=TURN if is_here else TurnKey(TURN.workflow_id, 8))
    stage.start(second, "exec sleep 60")

    assert second.status() is None
    assert _wait_for(second.lives)


def test_a_signal_reaches_the_whole_family(stage: Stage) -> None:
    """Also what left the session, and what cleared its environment."""
    process = stage.process()
    started = stage.start(
        process, "setsid sleep 61 & env -i sleep 62 & setsid env -i sleep 63 & sleep 64"
    )
    _wait_for(lambda: len(family([TURN.marker], [started.pid])) >= 5)
    assert _remains(stage, [process])

    assert stage.executor.signal([process], signal.SIGKILL) >= 1

    _wait_for(lambda: not _remains(stage, [process]))
    assert not _remains(stage, [])


def test_a_signal_reaches_no_other_turn(stage: Stage) -> None:
    one, other = stage.process(), stage.process(turn=TurnKey(TURN.workflow_id, 8))
    stage.start(one, "exec sleep 60")
    stage.start(other, "exec sleep 60")
    _wait_for(lambda: one.lives() and other.lives())

    stage.executor.signal([one], signal.SIGKILL)

    _wait_for(lambda: not one.lives())
    assert other.lives()


def test_an_end_is_term_then_kill_for_what_does_not_heed_it(stage: Stage) -> None:
    process = stage.process()
    stage.start(process, "trap 'echo told' TERM; echo up; while :; do sleep 60 & wait; done")
    _wait_for(lambda: _texts(process, 0)[0] == "up")

    ended = asyncio.run(stage.executor.end(lambda: [process], grace=0.5))

    assert ended
    assert not _remains(stage, [process])
    assert "told" in _texts(process, 0, ended=True)[0]


def test_an_end_waits_for_whoever_tells_that_all_have_ended(stage: Stage) -> None:
    process = stage.process()
    stage.start(process, "exec sleep 60")

    async def run() -> bool:
        done = asyncio.Event()
        process.when_ended(done.set)

        async def gone(seconds: float) -> bool:
            try:
                async with asyncio.timeout(seconds):
                    await done.wait()
            except TimeoutError:
                return False
            return True

        return await stage.executor.end(lambda: [process], grace=PATIENCE, gone=gone)

    assert asyncio.run(run())
    assert not process.lives()


def test_the_end_of_a_workflow_ends_every_turn_of_it(stage: Stage) -> None:
    turns = [TurnKey(TURN.workflow_id, number) for number in (7, 8)]
    processes = [stage.process(turn=turn) for turn in turns]
    for process in processes:
        stage.start(process, "exec sleep 60")

    assert asyncio.run(stage.executor.end_workflow(TURN.workflow_id, grace=5.0)) == []
    assert not _remains(stage, processes)


def test_orphans_are_those_of_workflows_that_are_idle(stage: Stage) -> None:
    process = stage.process()
    found = stage.start(process, "exec sleep 60")
    end = stage.executor.end_orphans

    assert asyncio.run(end(lambda _id: False, grace=5.0)) == []
    _wait_for(process.lives)
    ended = asyncio.run(end(lambda id: id == TURN.workflow_id, grace=5.0))

    assert found.pid in ended
    assert not _remains(stage, [process])


def test_what_a_turn_has_used_grows_with_its_work(stage: Stage) -> None:
    process = stage.process()
    stage.start(process, "sh -c 'while :; do :; done'; true")

    def seconds() -> float:
        found = stage.executor.used([process])[TURN.turn_id]
        return found.cpu + found.own

    assert _wait_for(lambda: seconds() > 0.1)
    assert _wait_for(lambda: process.age() > 0)  # a node tells of it a moment later
    assert process.silence() <= process.age()


def test_what_turns_left_that_are_over_ends_with_their_workflow(stage: Stage) -> None:
    left, records = stage.folder / "left", stage.folder / "node/turns"
    process = stage.process()
    stage.start(process, f"setsid sleep 600 & echo $! > {left}")
    assert _wait_for(lambda: not process.lives())
    process.close()
    assert _wait_for(lambda: not any(records.glob("*.json")))
    pid = int(left.read_text())
    assert identify(pid) is not None

    assert asyncio.run(stage.executor.end_workflow(TURN.workflow_id, grace=0.0)) == []

    assert _wait_for(lambda: identify(pid) is None)


def _aside(stage: Stage, script: str, seconds: float = 60.0) -> int | None:
    argv = ["/bin/sh", "-c", script]
    running = stage.executor.run_aside(
        argv,
        cwd=stage.folder,
        env=dict(os.environ),
        workflow_id=TURN.workflow_id,
        output=None,
        seconds=seconds,
    )
    return asyncio.run(_awaited(running))


async def _awaited(running: Awaitable[T]) -> T:
    return await running


def test_a_command_beside_the_turns_tells_how_it_ended(stage: Stage) -> None:
    assert _aside(stage, "exit 3") == 3
    assert _aside(stage, "kill -9 $$") == -9
    assert _aside(stage, "sleep 600", seconds=0.1) is None


def test_nothing_of_such_a_command_outlives_it(stage: Stage) -> None:
    left = stage.folder / "left"
    script = f"setsid sh -c 'echo $$ > {left}; exec sleep 600' & until [ -s {left} ]; do :; done"

    assert _aside(stage, script) == 0

    _wait_for(lambda: not Path(f"/proc/{left.read_text().strip()}").exists())


def test_what_an_executor_left_of_it_is_ended_by_the_next(stage: Stage) -> None:
    starter = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from tests.integration.test_executor_contract import TURN, Stage\n"
        "stage = Stage(int(sys.argv[1]), Path(sys.argv[2]))\n"
        "asyncio.run(stage.executor.run_aside(['/bin/sh', '-c', sys.argv[3]], cwd=stage.folder, "
        "env=dict(os.environ), workflow_id=TURN.workflow_id, output=None, seconds=600))\n"
    )
    begun = stage.folder / "begun"
    argv = [str(stage.number), str(stage.folder), f"echo $$ > {begun}; sleep 600"]
    process = subprocess.Popen([sys.executable, "-c", starter, *argv])
    _wait_for(lambda: begun.exists() and begun.read_text().strip())
    process.kill()
    process.wait()
    pid = int(begun.read_text())
    assert Path(f"/proc/{pid}").exists()
    end = stage.executor.end_asides

    assert asyncio.run(end(lambda _: False)) == []
    assert pid in asyncio.run(end(lambda workflow_id: workflow_id == TURN.workflow_id))

    _wait_for(lambda: identify(pid) is None)
