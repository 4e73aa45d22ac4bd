"""What real processes of a turn use, wherever they hide; and that rest looks like rest."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from perles.agents.provider import Launch
from perles.executor.contract import TurnFiles, Used
from perles.executor.local import launcher, processes, usage
from perles.executor.local.usage import Tree
from tests.integration.cli import Home
from tests.integration.test_sandbox import no_sandbox

Start = Callable[..., Tree]
SPINS = "while :; do :; done"
COPIES = "until test -e stop; do cat /usr/bin/env >/dev/null; sleep 0.02; done"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Tree] = []

    def begin(script: str, *, argv: Sequence[str] = ()) -> Tree:
        """A turn whose agent runs the script as a tool; or is `argv` itself."""
        number = len(started) + 1
        marker = f"PERLES_TURN=wf-{os.getpid()}/{number}"
        files = TurnFiles.at(tmp_path / f"turn-{number}.out")
        name, _, value = marker.partition("=")
        env = {"PATH": os.environ["PATH"], name: value}
        launch = Launch(argv=argv or ["sh", "-c", f"sh -c {shlex.quote(script)}; :"])
        identity = launcher.spawn(launch, cwd=tmp_path, env=env, files=files)
        started.append(Tree(number, marker, [identity.pid], identity.start_ticks))
        return started[-1]

    yield begin
    (tmp_path / "stop").touch()  # for the one that hides from us, too
    for tree in started:
        processes.signal_family(signal.SIGKILL, [tree.marker], tree.sessions)
        launcher.reap(tree.sessions[0])


def _more(tree: Tree, before: Used) -> Used:
    now = usage.look([tree])[tree.turn_id]
    return Used(now.cpu - before.cpu, now.io - before.io, now.own - before.own)


def test_a_process_that_computes_uses_the_processor(home: Home, start: Start) -> None:
    tree = start(SPINS)
    before = usage.look([tree])[1]
    home.wait_for("processor time", lambda: _more(tree, before).cpu > 0.2)


@pytest.mark.parametrize("kind", ["plain", "wrapped", "sandboxed"])
def test_what_the_agents_own_program_uses_is_told_apart(
    home: Home, start: Start, tmp_path: Path, kind: str
) -> None:
    spins = _script(tmp_path / "spins", SPINS)
    argv = [spins, "run", "--json"]
    if kind == "wrapped":  # a script that starts the real program with its own arguments
        argv[0] = _script(tmp_path / "wrapper", f'{spins} "$@"; :')
    elif kind == "sandboxed":
        if (hindrance := no_sandbox()) is not None:
            pytest.skip(f"NOT TESTED in a sandbox: {hindrance}")
        argv = ["bwrap", "--bind", "/", "/", "--proc", "/proc", "--unshare-pid", "--", *argv]
    tree = start("", argv=argv)
    before = usage.look([tree])[1]
    home.wait_for("processor time of its own", lambda: _more(tree, before).own > 0.2)
    assert _more(tree, before).cpu < 0.1  # a fork of the shell that has not become its program


def _script(path: Path, source: str) -> str:
    path.write_text(f"#!/bin/sh\n{source}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    "script",
    [
        COPIES,
        f"env -i PATH=$PATH sh -c {shlex.quote(COPIES)}",  # a tool that clears the environment
        f"setsid sh -c {shlex.quote(COPIES)} & exit 0",  # an own session, and no parent of ours
        f"env -i PATH=$PATH setsid sh -c {shlex.quote(COPIES)}; :",  # neither, but our child
    ],
    ids=["plain", "environment cleared", "own session", "both"],
)
def test_a_process_that_reads_and_writes_is_seen_wherever_it_hides(
    home: Home, start: Start, script: str
) -> None:
    tree = start(script)
    before = usage.look([tree])[1]
    home.wait_for("input and output", lambda: _more(tree, before).io > 500_000)


def test_turns_are_told_apart_and_one_that_rests_uses_nothing(home: Home, start: Start) -> None:
    rests, copies = start("exec sleep 1000"), start(COPIES)
    home.wait_for("the sleeper", lambda: _sleeps(rests))
    before = usage.look([rests, copies])
    home.wait_for("input and output", lambda: _more(copies, before[2]).io > 500_000)
    assert usage.look([rests, copies])[1] == before[1]


def _sleeps(tree: Tree) -> bool:
    pids = processes.family([tree.marker], tree.sessions)
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids]
    return "sleep" in names
