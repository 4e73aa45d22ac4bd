"""A home folder of its own for each test, and the real command line on it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar
from weakref import WeakSet

import yaml

from perles.domain.errors import NoEngineError
from perles.engine import watchdog
from perles.executor.local.identity import identify
from tests import ports
from tests.integration.forks import COVERAGE, Forked, Forks

__all__ = ["COVERAGE", "DEADLINE", "Home", "signal_all"]

DEADLINE = 180.0
"""Seconds that a test waits for what must come."""


class Home:
    """A `PERLES_HOME` in a folder of the test's, with a work dir beside it."""

    forks: ClassVar[Forks | None] = None
    """What runs commands and engines faster, where a session of tests has it."""
    afresh = False
    """Whether engines, and what `popen` starts, are started as users start them."""
    coverage: ClassVar[str | None] = None
    """How programs measure themselves, where the session is measured."""

    def __init__(self, root: Path) -> None:
        self.root = root / "home"
        self.work = root / "work"
        self.work.mkdir(exist_ok=True)
        self._started: WeakSet[subprocess.Popen[str]] = WeakSet()
        prefix = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__PORT_RANGE"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PERLES_")},
            "PERLES_HOME": str(self.root),
            "XDG_CONFIG_HOME": str(root / "config"),
            f"{prefix}_START": str(ports.HOME),
            f"{prefix}_END": str(ports.HOME + 99),
        }
        if "PERLES_DATABASE" in os.environ:  # of the test, where it has one on a server
            self.environ["PERLES_DATABASE"] = os.environ["PERLES_DATABASE"]

    @property
    def database(self) -> Path:
        """The database file."""
        return self.root / "perles.db"

    def engine_pid(self) -> int | None:
        """The pid of the engine that runs now; None while none does.

        One question: an engine may come or go between two.
        """
        asked = self.perles("engine", "status", "--json")
        assert asked.returncode in (0, NoEngineError.exit_code), asked.stderr
        status = json.loads(asked.stdout)
        return None if status is None else int(status["pid"])

    def wait_for_engine(self, *, other_than: int | None = None) -> int:
        """The pid of the engine once one is up, and is not the one that was there before."""

        def another() -> int | None:
            pid = self.engine_pid()
            return None if pid == other_than else pid

        return int(self.wait_for("an engine", another))

    def wait_for_no_engine(self) -> None:
        """Return once no engine holds the database any more."""
        self.wait_for("the engine's end", lambda: self.engine_pid() is None)

    def kill_engine(self) -> None:
        """SIGKILL for the engine that runs on its own, and for what would start it again.

        It has ended when this returns.
        """
        pid = self.engine_pid()
        if pid is None:
            return  # it has just ended by itself
        dog = watchdog.of_engine(pid)
        signal_all([pid] if dog is None else [dog, pid], signal.SIGKILL)
        self.wait_for(
            "the end of what was killed",
            # The lock is free when its last thread has ended.
            lambda: identify(pid) is None and self.engine_pid() != pid,
        )

    @property
    def config_file(self) -> Path:
        """The user's own configuration; its folder is made."""
        folder = Path(self.environ["XDG_CONFIG_HOME"]) / "perles"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "config.yaml"

    def argv(self, *args: str | Path) -> list[str]:
        """The command line that runs perles."""
        return [sys.executable, "-m", "perles", *map(str, args)]

    def perles(
        self, *args: str | Path, timeout: float = 600, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run perles to its end, as a fork where its interpreter would start as any other."""
        env = {**self.environ, **environ}
        if self.forks is not None and self.forks.start_alike(env):
            words = [str(arg) for arg in args]
            return self.forks.run(
                words, cwd=self.work, environ=env, timeout=timeout, engines=not self.afresh
            )
        return subprocess.run(
            self.argv(*args),
            cwd=self.work,
            env=env,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def run(self, argv: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a program as this home's user would, in the work dir."""
        return subprocess.run(
            argv,
            env=self.environ,
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            **options,
        )

    def popen(self, *args: str | Path, **changes: Any) -> "subprocess.Popen[str]":
        """Start perles, as a fork where `perles` would be one."""
        options: dict[str, Any] = {
            "cwd": self.work,
            "env": self.environ,
            "text": True,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **changes,
        }
        if self.forks is not None and not self.afresh and self.forks.start_alike(options["env"]):
            started: subprocess.Popen[str] = Forked(
                self.forks, ["perles", *map(str, args)], **options
            )
        else:
            started = subprocess.Popen(self.argv(*args), **options)
        self._started.add(started)
        return started

    def close(self) -> None:
        """End what `popen` started and a test that failed left: else it fails another one, too."""
        for one in list(self._started):
            if one.poll() is None:
                one.kill()
                one.wait()
            for stream in (one.stdin, one.stdout, one.stderr):
                if stream is not None:
                    stream.close()

    def json_lines(self, *args: str | Path) -> list[Any]:
        """What a command prints as JSON, one object a line."""
        done = self.perles(*args)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def json(self, *args: str | Path) -> Any:
        """What perles prints, as JSON."""
        result = self.perles(*args)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def events(self, *args: str) -> list[dict[str, Any]]:
        """The journal, from the beginning."""
        result = self.perles("events", *args, "--since", "0", "--json")
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def only(self) -> str:
        """The id of the one workflow there is."""
        (found,) = self.json("list", "--json")
        return str(found["id"])

    def pipeline(self, name: str, tasks: list[dict[str, Any]], **more: Any) -> Path:
        """A pipeline file in the work dir."""
        path = self.work / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, "tasks": tasks, **more}))
        return path

    def wait_for(self, what: str, condition: Callable[[], Any]) -> Any:
        """The condition's value once it is true; fails with the last events when it never is."""
        deadline = monotonic() + DEADLINE
        while (begun := monotonic()) < deadline:
            found = condition()
            if found:
                return found
            # A condition that runs a command would take the processor from what it waits for.
            sleep(max(0.02, monotonic() - begun))
        last = "\n".join(str(event)[:500] for event in self.events()[-30:])
        raise AssertionError(f"waited {DEADLINE}s in vain for {what}; the last events:\n{last}")


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
