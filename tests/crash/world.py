"""A world in which things are killed, and what must hold in it afterwards, whatever was.

Each task prints, takes a lock that two runs of it at once could not both hold,
appends its key to a file, and prints again.
"""

import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from perles import ControlPlane, WorkflowSpec
from perles.executor.contract import Identity
from perles.executor.local import processes
from perles.store.reads.connection import reading
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE, Home
from tests.integration.scripted_cli import configure
from tests.postgres import homes

RUN = """\
exec 9> "lock-$KEY"; flock -n 9 || echo "$KEY" >> doubled
for n in 1 2 3; do echo "$KEY begins $n"; done
sleep {seconds}
echo "$KEY" >> effects
echo "$KEY ends"
"""


class World:
    """A home, its engine, and one workflow in it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        config = home.environ.get("PERLES_CONFIG")
        self.plane = ControlPlane(home.root, config_file=Path(config) if config else None)
        self.engine: subprocess.Popen[str] | None = None
        self.log = home.root / "engine-of-test.log"
        self.seen: list[int] = []
        self._follower: Thread | None = None
        self._ended = False

    def create(self, tasks: list[dict[str, Any]], *, workers: int = 2, start: bool = True) -> str:
        """A workflow of these tasks, asked to start as soon as there is an engine."""
        file = self.home.pipeline("storm", tasks, workers=workers)
        spec = WorkflowSpec(
            template_id="pipeline", work_dir=str(self.home.work), args={"file": str(file)}
        )
        id = self.plane.create(spec)
        if start:
            self.plane.request(id, "start", {})
        return id

    def create_with_prompt(self, tasks: list[dict[str, Any]]) -> str:
        """`create`, with a prompt that never comes: so the coordinator is a process."""
        configure(self.home, providers={"mycli": {"type": "command", "argv": ["true"]}})
        prompt = {"key": "mend", "prompt": "Mend it.", "worker": "mycli", "when": "on_failure"}
        plan = [*tasks, {**prompt, "after": [tasks[-1]["key"]]}]
        file = self.home.pipeline("storm", plan, workers=2)
        id = self.home.perles("create", file).stdout.strip()
        self.plane.request(id, "start", {})
        return id

    def follow(self) -> None:
        """Collect the journal as a subscriber in another process would, from the beginning."""

        def collect() -> None:
            for event in self.plane.subscribe(since=0, stop=lambda: self._ended):
                self.seen.append(event["seq"])

        self._follower = Thread(target=collect, daemon=True)
        self._follower.start()

    def end_following(self) -> None:
        """Have the subscriber look once more, and end."""
        self._ended = True
        if self._follower is not None:
            self._follower.join()

    def serve(self, *, fault: str = "", **environ: str) -> "subprocess.Popen[str]":
        """Start an engine; it may die at once, where that is planned."""
        environ = {**self.home.environ, **environ}
        if fault:
            environ["PERLES_FAULT"] = fault
        with self.log.open("ab") as log:
            self.engine = self.home.popen(
                "serve",
                "--foreground",
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.engine

    def wait_for_engine(self) -> None:
        """Wait until it takes commands."""
        engine = self.engine
        assert engine is not None
        self.wait_for(
            "the engine",
            lambda: self.value("SELECT pid FROM engine WHERE ended_at IS NULL") == engine.pid,
        )

    def kill_engine(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.engine is not None
        self.engine.kill()
        self.engine.wait()

    def stop_engine(self) -> None:
        """Stop it as a person would."""
        self.wait_for_engine()
        assert self.engine is not None
        self.engine.send_signal(signal.SIGTERM)
        assert self.engine.wait(timeout=DEADLINE) == 0, self.log.read_text()[-2000:]

    def query(self, sql: str, *params: Any) -> list[Any]:
        """Rows of the database, now."""
        with reading(self.home.database) as connection:
            assert connection is not None
            return connection.execute(sql, params).fetchall()

    def value(self, sql: str, *params: Any) -> Any:
        """The first column of the first row; None where there is none."""
        rows = self.query(sql, *params)
        return rows[0][0] if rows else None

    def change(self, sql: str) -> None:
        """Change the database from outside."""
        connection = dbapi.connect(str(self.home.database))
        with connection:
            connection.execute(sql)
        connection.close()

    def state(self, id: str) -> str:
        """The workflow's state."""
        return str(self.value("SELECT state FROM workflows WHERE id = ?", id))

    def wait_for(self, what: str, condition: Callable[[], Any]) -> Any:
        """`Home.wait_for`, with the engine's log in the error."""
        try:
            return self.home.wait_for(what, condition)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()[-3000:]}") from None

    def wait_for_end(self, id: str) -> None:
        """Wait until the workflow has ended well."""
        self.wait_for("its end", lambda: self.state(id) not in ("pending", "running", "paused"))
        reason = self.value("SELECT reason FROM workflows WHERE id = ?", id)
        assert self.state(id) == "completed", f"{reason}\n{self.log.read_text()[-3000:]}"

    def wait_for_text(self, id: str, text: str) -> None:
        """Wait until an agent's output with this text is in the journal."""
        sql = (
            "SELECT 1 FROM events WHERE workflow_id = ? AND type LIKE '%.output' AND payload LIKE ?"
        )
        self.wait_for(f"{text!r}", lambda: self.query(sql, id, f"%{text}%"))

    def launchers(self) -> list[Identity]:
        """The processes of the turns that run, as the database knows them."""
        sql = "SELECT pid, start_ticks, boot_id FROM turns WHERE status = 'running'"
        return [Identity(*row) for row in self.query(sql)]

    def turn_of(self, agent: str) -> Identity:
        """The process of the agent's live turn."""
        sql = (
            "SELECT t.pid, t.start_ticks, t.boot_id FROM turns t JOIN agents a ON a.id = t.agent_id"
            " WHERE a.name = ? AND t.status = 'running'"
        )
        (row,) = self.wait_for(f"a turn of {agent}", lambda: self.query(sql, agent))
        return Identity(*row)

    def family(self, id: str) -> list[int]:
        """What lives of the workflow."""
        return processes.family([f"PERLES_WORKFLOW={id}"])

    def finish(self, id: str, *, killed_agents: int = 0) -> None:
        """The workflow is at its end, and everything is as it must be."""
        self.wait_for_end(id)
        port = self.value(
            "SELECT json_extract(payload, '$.port') FROM events "
            "WHERE workflow_id = ? AND type = 'workflow.started'",
            id,
        )
        assert self.query("SELECT * FROM leases") == []
        assert self.query("SELECT * FROM named_leases") == []
        assert not _listens(int(port))
        self.stop_engine()
        self._check_journal()
        self._check_lines(id)
        self._check_effects(id, killed_agents)
        assert self.family(id) == []
        if not homes.is_on():
            assert self.value("PRAGMA integrity_check") == "ok"
        assert self.plane.check() == []

    def _check_journal(self) -> None:
        seqs = [row[0] for row in self.query("SELECT seq FROM events ORDER BY seq")]
        # A server's sequence leaves out the numbers of what was rolled back.
        assert homes.is_on() or seqs == list(range(1, len(seqs) + 1))
        if self._follower is not None:
            self.wait_for("the subscriber", lambda: len(self.seen) >= len(seqs))
            self.end_following()
            assert self.seen == seqs

    def _check_lines(self, id: str) -> None:
        """Each line that an agent printed is in the journal once, in order."""
        output = (
            "SELECT json_extract(payload, '$.text') FROM events"
            " WHERE turn_id = ? AND type LIKE '%.output' ORDER BY seq"
        )
        turns = self.query("SELECT id, stdout_path FROM turns WHERE workflow_id = ?", id)
        for turn_id, path in turns:
            told = "\n".join(row[0] for row in self.query(output, turn_id))
            file = self.home.root / path
            printed = file.read_text() if file.exists() else ""
            assert told == printed.removesuffix("\n"), path

    def _check_effects(self, id: str, killed_agents: int) -> None:
        """Each task took effect once; a second time only where its command was killed."""
        assert not (self.home.work / "doubled").exists()
        done = Counter((self.home.work / "effects").read_text().split())
        query = "SELECT key, status, exit_code FROM tasks WHERE workflow_id = ? AND run IS NOT NULL"
        tasks = self.query(query, id)
        assert {(row[1], row[2]) for row in tasks} == {("done", 0)}
        assert set(done) == {row[0] for row in tasks}
        assert sum(done.values()) - len(done) <= killed_agents, done
        assert self.value("SELECT count(*) FROM commands WHERE status IN ('queued','running')") == 0
        assert self.value("SELECT count(*) FROM turns WHERE ended_at IS NULL") == 0


def tasks(count: int, *, seconds: float = 0.1, retries: int = 0) -> list[dict[str, Any]]:
    """Tasks in pairs: the second of a pair waits for its first."""
    return [
        {
            "key": f"t{number}",
            "run": RUN.format(seconds=seconds),
            "env": {"KEY": f"t{number}"},
            "retries": retries,
            **({"after": [f"t{number - 1}"]} if number % 2 else {}),
        }
        for number in range(count)
    ]


@contextmanager
def world(home: Home) -> Iterator[World]:
    """A world in this home; afterwards no process of it is left."""
    made = World(home)
    try:
        yield made
    finally:
        made.end_following()
        if made.engine is not None and made.engine.poll() is None:
            made.kill_engine()
        for (id,) in made.query("SELECT id FROM workflows"):
            processes.signal_family(signal.SIGKILL, [f"PERLES_WORKFLOW={id}"])


def agent_of(launcher: Identity) -> int | None:
    """The pid of the agent that a launcher waits for."""
    try:
        found = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    except OSError:
        return None  # it ended meanwhile
    return int(found[0]) if found else None


def kill(pid: int) -> bool:
    """SIGKILL; whether there was such a process."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
