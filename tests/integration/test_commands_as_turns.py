"""A task's command is the turn's process itself, led by a fork; how it ends is the report."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from perles.agents.builtin import tty
from perles.agents.provider import Launch, TaskCommand
from perles.executor.contract import Identity, Told, TurnFiles, TurnKey
from perles.executor.local import processes
from perles.executor.local.executor import LocalExecutor, LocalProcess
from tests.integration.cli import DEADLINE, Home

TURN = TurnKey("wf-dddddddd", 3)
PATIENCE = DEADLINE
COUNTS = """
import os, signal, time
told = open("told", "w", buffering=1)
signal.signal(signal.SIGTERM, lambda *_: print("TERM", file=told))
print(os.getpid(), flush=True)
signal.pause()
end = time.monotonic() + 1.0  # a second one would come until then
while time.monotonic() < end:
    time.sleep(0.01)
"""


class Stage:
    """One turn whose process is a command."""

    def __init__(self, folder: Path) -> None:
        self.executor, self.folder = LocalExecutor(), folder
        self.files = TurnFiles.at(folder / "turn-1.out")

    def process(self, identity: Identity | None = None, turn: TurnKey = TURN) -> LocalProcess:
        """Its process, as a row tells of it."""
        return self.executor.process(turn, self.files, identity, text_only=True)

    def start(self, process: LocalProcess, script: str, **more: Any) -> Identity:
        """Start a shell script as the command."""
        return self.start_program(process, ["sh", "-c", script], **more)

    def start_program(self, process: LocalProcess, argv: list[str], **more: Any) -> Identity:
        """Start a program as the command."""
        key = process.turn
        marks = {"PERLES_TURN": f"{key.workflow_id}/{key.turn_id}"}
        launch = Launch(
            argv=argv,
            env={"PATH": os.environ["PATH"]},
            command=TaskCommand(name="sh", **more),
        )
        return process.start_now(launch, cwd=self.folder, env=marks)

    def server(self) -> int:
        """The pid of what forks."""
        server = self.executor._forks._server
        assert server is not None
        return int(server.process.pid)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage; nothing of its turn is left afterwards."""
    made = Stage(tmp_path)
    yield made
    asyncio.run(made.executor.end_workflow(TURN.workflow_id, grace=0.0))
    made.executor.close()


def _wait_for(condition: Callable[[], Any]) -> Any:
    deadline = monotonic() + PATIENCE
    while not (found := condition()):
        assert monotonic() < deadline, "it never came"
        sleep(0.01)
    return found


def _ended(process: LocalProcess) -> None:
    async def run() -> None:
        done = asyncio.Event()
        process.when_ended(done.set)
        async with asyncio.timeout(PATIENCE):
            await done.wait()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("true", Told(0, "exit 0")),
        ("exit 3", Told(3, "exit 3")),
        ("kill -SEGV $$", Told(139, "killed by SIGSEGV")),
        ("sh -c 'kill -KILL $$'; exit $?", Told(137, "exit 137: killed by SIGKILL")),
    ],
)
def test_its_end_is_told_in_words(stage: Stage, script: str, told: Told) -> None:
    process = stage.process()
    stage.start(process, script)
    _ended(process)

    assert process.told() == told
    assert stage.process().told() == told, "the next engine knows it, too"


def test_its_errors_go_where_its_output_goes_and_it_has_no_input(stage: Stage) -> None:
    process = stage.process()
    stage.start(process, "cat; echo out; echo bad >&2")
    _ended(process)

    assert stage.files.stdout.read_text() == "out\nbad\n"


def test_a_time_limit_holds_without_an_engine(stage: Stage) -> None:
    process = stage.process()
    found = stage.start(process, "trap '' TERM; sleep 60 & wait; sleep 60", timeout=0.2, grace=0.1)
    stage.executor.close()  # as an engine that ends

    _ended(stage.process(found))

    assert stage.process(found).told() == Told(124, "timed out after 0.2s")
    assert not asyncio.run(stage.executor.remains([process]))


@pytest.mark.parametrize("leads", [[], [sys.executable, "-I", "-S", tty.__file__]])
@pytest.mark.parametrize("is_late", [False, True])
def test_a_command_is_told_once_to_end(stage: Stage, leads: list[str], is_late: bool) -> None:
    """A second TERM is for many programs an order to drop everything."""
    process = stage.process()
    argv = [*leads, sys.executable, "-c", COUNTS]
    stage.start_program(process, argv, timeout=1.0 if is_late else None)
    own = int(_wait_for(stage.files.stdout.read_text))

    if not is_late:
        _tell_the_command_first(stage, process, own)
    _ended(process)

    assert (stage.folder / "told").read_text() == "TERM\n"


def _tell_the_command_first(stage: Stage, process: LocalProcess, own: int) -> None:
    """End the turn while what leads the command sleeps, so that two signals cannot become one."""
    marker = f"PERLES_TURN={TURN.workflow_id}/{TURN.turn_id}"
    leaders = [pid for pid in processes.family([marker]) if pid != own]
    assert leaders
    for pid in leaders:
        os.kill(pid, signal.SIGSTOP)
    stage.executor.signal([process], signal.SIGTERM)
    _wait_for((stage.folder / "told").read_text)
    for pid in leaders:
        os.kill(pid, signal.SIGCONT)


def test_a_status_that_cannot_be_written_is_told_to_its_engine(stage: Stage) -> None:
    process = stage.process()
    stage.start(process, f"mkdir {stage.files.status}; exit 4")
    _ended(process)

    assert process.told() == Told(4, "exit 4")


def test_a_leader_that_is_killed_leaves_no_report_but_a_status(stage: Stage) -> None:
    """Its command did not end by itself, and is not run again."""
    process = stage.process()
    stage.start(process, "kill -9 $PPID; sleep 60")
    _ended(process)

    found = process.reap()

    assert found is not None
    assert (found.code, found.is_agents) == (-signal.SIGKILL, True)
    assert process.told() == Told(137, "")


def test_the_next_command_starts_though_what_forks_was_killed(stage: Stage) -> None:
    first = stage.process()
    stage.start(first, "exec sleep 60")
    os.kill(stage.server(), signal.SIGKILL)
    _wait_for(first.lives)

    second = stage.process(turn=TurnKey(TURN.workflow_id, 4))
    second_files = TurnFiles.at(stage.folder / "turn-2.out")
    second = stage.executor.process(second.turn, second_files, None, text_only=True)
    stage.start(second, "exit 5")
    _ended(second)

    assert second.told() == Told(5, "exit 5")
    assert first.lives()


def test_a_command_is_found_by_its_mark_where_its_row_does_not_name_it(stage: Stage) -> None:
    found = stage.start(stage.process(), "exec sleep 60")
    other = stage.process(turn=TurnKey(TURN.workflow_id, 9))
    process = stage.process()

    assert _wait_for(process.attach_now)
    assert process.identity == found
    assert not other.attach_now()


def test_what_a_command_leaves_in_its_group_ends_with_it(stage: Stage) -> None:
    process = stage.process()
    stage.start(process, "sleep 60 & exit 0")
    _ended(process)

    assert process.told() == Told(0, "exit 0")
    assert not asyncio.run(stage.executor.remains([process]))


def test_a_task_costs_one_turn_and_no_turn_of_its_coordinator(home: Home) -> None:
    tasks: list[dict[str, Any]] = [{"key": "a", "run": "true"}]
    tasks += [{"key": f"b{n}", "run": "true", "after": ["a"]} for n in range(4)]
    file = home.pipeline("p", [*tasks, {"key": "c", "run": "true", "after": ["b1", "b3"]}])

    result = home.perles("run", file)

    assert result.returncode == 0, result.stderr
    turns = [event for event in home.events() if event["type"] == "turn.started"]
    assert len(turns) == 6
    assert {event["agent"] for event in turns} <= {f"worker-{n}" for n in range(1, 9)}
