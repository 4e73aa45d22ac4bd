"""A killed engine comes back by itself; one that ended on purpose does not."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from perles.controlplane.plane import ControlPlane
from perles.engine import watchdog
from perles.executor.local.identity import identify
from perles.store.reads import watchdog as watchdog_names
from perles.store.reads.connection import reading
from tests.integration.cli import DEADLINE, Home

pytestmark = pytest.mark.afresh

UP = "kill -USR1 $PPID; "
"""What an engine tells its watchdog when it has come up."""


def _watch(tmp_path: Path, engine: str, idle: str = "") -> tuple[int, list[str]]:
    """Watch a shell in the engine's place, with pauses of no length; exit code and starts."""
    quick = tmp_path / "bin"
    quick.mkdir()
    (quick / "sleep").write_text("#!/bin/sh\n")
    (quick / "sleep").chmod(0o755)
    script = f'echo "start $*" >> {tmp_path}/starts; {engine}'
    done = subprocess.run(
        watchdog.command(["/bin/sh", "-c", script, "engine"], idle=idle),
        env={"PERLES_HOME": str(tmp_path), "PATH": f"{quick}:{os.environ['PATH']}"},
        check=False,
        timeout=60,
    )
    return done.returncode, (tmp_path / "starts").read_text().splitlines()


def test_an_engine_that_dies_again_and_again_is_given_up_and_that_is_told(tmp_path: Path) -> None:
    code, starts = _watch(tmp_path, UP + "kill -KILL $$")

    assert (code, len(starts)) == (128 + signal.SIGKILL, 6)
    said = watchdog.word(tmp_path)
    assert said is not None
    assert said == (
        "the engine died 6 times within a minute (killed by signal 9), and is not started again"
    )


@pytest.mark.parametrize("code", [0, 2, 4, 5, 7, 130, 143])
def test_an_engine_that_ends_on_purpose_ends_its_watchdog(tmp_path: Path, code: int) -> None:
    assert _watch(tmp_path, UP + f"exit {code}") == (code, ["start "])
    assert watchdog.word(tmp_path) is None


def test_an_engine_that_never_came_up_is_not_started_again(tmp_path: Path) -> None:
    assert _watch(tmp_path, "exit 1") == (1, ["start "])


def test_an_internal_error_is_a_death(tmp_path: Path) -> None:
    again = f"[ $(wc -l < {tmp_path}/starts) -lt 3 ] || exit 0; exit 1"

    code, starts = _watch(tmp_path, UP + again)

    assert (code, len(starts)) == (0, 3)


def test_an_engine_that_was_told_to_stay_stays_when_it_is_started_again(tmp_path: Path) -> None:
    again = f"[ $(wc -l < {tmp_path}/starts) -lt 2 ] || exit 0; kill -USR2 $PPID; kill -KILL $$"

    _, starts = _watch(tmp_path, UP + again, idle="--exit-when-idle")

    assert starts == ["start --exit-when-idle", "start "]


def test_a_killed_engine_comes_back_and_ends_its_work(home: Home) -> None:
    home.perles("serve", "--detach")
    run = "echo begun; until test -e go; do sleep 0.1; done"
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": run}])).stdout.strip()
    home.perles("start", id)
    home.wait_for("the command", lambda: "begun" in home.perles("logs", id).stdout)
    first = home.wait_for_engine()
    dog = watchdog.of_engine(first)
    assert dog is not None

    os.kill(first, signal.SIGKILL)
    second = home.wait_for_engine(other_than=first)
    (home.work / "go").touch()
    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")

    assert watchdog.of_engine(second) == dog
    assert "killed by signal 9" in home.perles("engine", "logs").stdout
    home.perles("engine", "stop")
    home.wait_for("the watchdog's end", lambda: identify(dog) is None)
    assert home.engine_pid() is None


def test_an_engine_that_was_given_up_is_told_by_status(home: Home) -> None:
    (home.root / watchdog.FILE).write_text("the engine died 6 times\n")

    told = home.perles("engine", "status")

    assert told.returncode == 5
    assert "the engine died 6 times; why it died: perles engine logs" in told.stderr


def test_the_engine_of_a_run_stays_when_somebody_asks_for_one(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "until test -e go; do sleep 0.1; done"}])
    run = subprocess.Popen(
        home.argv("run", file), cwd=home.work, env=home.environ, stdout=subprocess.DEVNULL
    )
    engine = home.wait_for_engine()

    asked = home.perles("serve", "--detach")
    (home.work / "go").touch()

    assert "runs already, and stays" in asked.stdout
    assert run.wait(timeout=DEADLINE) == 0  # it waits for its engine's end as long as that may take
    assert home.engine_pid() == engine


def test_the_engine_of_a_run_stays_when_it_came_up_while_another_was_being_started(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "until test -e go; do sleep 0.1; done"}])
    run = home.popen("run", file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    engine = home.wait_for_engine()
    seen: list[bool] = []  # it looks first when none runs yet
    real = ControlPlane.engine_comes_back

    def comes_back(plane: ControlPlane) -> bool:
        seen.append(True)
        return len(seen) > 1 and real(plane)

    monkeypatch.setattr(ControlPlane, "engine_comes_back", comes_back)

    assert not ControlPlane(home.root).ensure_engine(exit_when_idle=False)

    (home.work / "go").touch()

    assert run.wait(timeout=DEADLINE) == 0
    assert home.engine_pid() == engine


def test_while_an_engine_is_started_again_that_is_said_instead_of_no_engine(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    id = home.perles("create", file).stdout.strip()
    home.perles("start", id)
    assert "no engine runs, and 1 workflow waits for it" in home.perles("list").stderr
    script = ["/bin/sh", "-c", "sleep 600; :", watchdog_names.NAME]
    dog = subprocess.Popen(script, env={"PERLES_HOME": str(home.root), "PATH": os.environ["PATH"]})
    try:
        word = f"the engine died (killed by signal 9), and is started again in 8 s by pid {dog.pid}"
        (home.root / watchdog_names.FILE).write_text(f"{word}\n")

        told = "the engine died and is being started again"
        assert told in home.perles("list").stderr
        assert told in home.perles("show", id).stdout
        assert home.json("show", id, "--json")["unattended"] == told
        frame = home.perles("dashboard", "--once", "--width", "100", "--height", "20").stdout
        assert f"▲ {told}" in frame
    finally:
        dog.kill()
        dog.wait()
    assert "no engine runs" in home.perles("show", id).stdout


def test_the_watchdog_of_a_home_behind_a_symbolic_link_is_known(home: Home) -> None:
    link = home.root.parent / "link"
    link.symlink_to(home.root)
    home.environ["PERLES_HOME"] = str(link)
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}])).stdout.strip()
    home.perles("start", id)
    script = ["/bin/sh", "-c", "sleep 600; :", watchdog_names.NAME]
    dog = subprocess.Popen(script, env={"PERLES_HOME": str(link), "PATH": os.environ["PATH"]})
    try:
        (link / watchdog_names.FILE).write_text(f"started again in 8 s by pid {dog.pid}\n")

        assert "is being started again" in home.perles("show", id).stdout
        assert watchdog_names.pauses(home.root) == dog.pid
        (home.work / watchdog_names.FILE).write_text(f"started again in 8 s by pid {dog.pid}\n")
        assert watchdog_names.pauses(home.work) is None  # it is that of another home
    finally:
        dog.kill()
        dog.wait()


WAITS = [{"key": "a", "run": "echo begun; until test -e go; do /bin/sleep 0.1; done"}]


def _works(home: Home, name: str) -> str:
    """A workflow whose command runs; its id."""
    id = home.perles("create", home.pipeline(name, WAITS)).stdout.strip()
    home.perles("start", id)
    home.wait_for("the command", lambda: "begun" in home.perles("logs", id).stdout)
    return id


def _queued(home: Home) -> set[str]:
    """The kinds of commands that no engine took yet."""
    with reading(home.database) as connection:
        assert connection is not None
        found = connection.execute("SELECT kind FROM commands WHERE status = 'queued'")
        return {row["kind"] for row in found}


@pytest.fixture
def pausing(home: Home) -> Path:
    """The watchdogs of this home pause until this file is there."""
    gate = home.work / "gate"
    (home.work / "bin").mkdir()
    sleep = home.work / "bin" / "sleep"
    sleep.write_text(f"#!/bin/sh\nuntil test -e {gate}; do /bin/sleep 0.05; done\n")
    sleep.chmod(0o755)
    home.environ["PATH"] = f"{sleep.parent}:{home.environ['PATH']}"
    return gate


def test_what_is_asked_while_an_engine_is_started_again_is_done_by_that_one(
    home: Home, pausing: Path
) -> None:
    home.perles("serve", "--detach")
    first, second = _works(home, "first"), _works(home, "second")
    before = home.wait_for_engine()
    dog = watchdog.of_engine(before)
    os.kill(before, signal.SIGKILL)
    home.wait_for("the pause", (home.root / watchdog.FILE).exists)

    asked = [
        home.popen(*words)
        for words in (
            ("run", first),
            ("wait", first),
            ("attach", first),
            ("pause", second),
            ("config", "reload"),
            ("serve", "--detach"),
        )
    ]
    home.wait_for("what is asked", lambda: _queued(home) >= {"pause", "reload"})
    assert home.engine_pid() is None
    pausing.touch()
    again = home.wait_for_engine()
    (home.work / "go").touch()

    for one in asked:
        said = "".join(one.communicate(timeout=DEADLINE))
        assert one.returncode == 0, f"{one.args!r}: {said}"
        assert "the engine is gone" not in said
        assert "no engine" not in said
    assert (home.engine_pid(), watchdog.of_engine(again)) == (again, dog)
    assert home.json("show", second, "--json")["state"] == "paused"
    assert len(home.events("--type", "engine.started")) == 2


def test_that_an_engine_is_started_again_is_known_before_its_watchdog_says_so(home: Home) -> None:
    home.perles("serve", "--detach")
    id = _works(home, "p")
    before = home.wait_for_engine()
    dog = watchdog.of_engine(before)
    assert dog is not None
    os.kill(dog, signal.SIGSTOP)
    try:
        os.kill(before, signal.SIGKILL)
        home.wait_for("its end", lambda: home.engine_pid() is None)

        assert not (home.root / watchdog.FILE).exists()
        assert "is being started again" in home.perles("show", id).stdout
        pause = home.popen("pause", id)
        home.wait_for("what is asked", lambda: _queued(home) == {"pause"})
        assert home.engine_pid() is None
    finally:
        os.kill(dog, signal.SIGCONT)

    assert watchdog.of_engine(home.wait_for_engine(other_than=before)) == dog
    pause.communicate(timeout=DEADLINE)
    assert pause.returncode == 0


def test_stop_also_ends_an_engine_that_is_about_to_be_started_again(
    home: Home, pausing: Path
) -> None:
    home.perles("serve", "--detach")
    before = home.wait_for_engine()
    dog = watchdog.of_engine(before)
    assert dog is not None
    os.kill(before, signal.SIGKILL)
    home.wait_for("the pause", (home.root / watchdog.FILE).exists)

    home.perles("engine", "stop")
    pausing.touch()

    home.wait_for("the watchdog's end", lambda: identify(dog) is None)
    assert home.engine_pid() is None
    assert len(home.events("--type", "engine.started")) == 1
