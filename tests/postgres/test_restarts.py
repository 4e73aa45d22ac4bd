"""A server that restarts, or has no connection free: nobody takes its engine for dead."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from perles.controlplane import isolated
from perles.controlplane.plane import ControlPlane
from perles.engine import single_instance, watchdog
from perles.store import migrate
from perles.store.database import Database
from perles.store.schema.engine import Engine
from perles.store.transaction import Tx
from tests.integration.cli import DEADLINE, Home
from tests.integration.conftest import fresh_home
from tests.postgres.server import Server, is_installed, running, started, stop

__all__ = ["fresh_home"]

GATE = [{"key": "a", "run": "until [ -e go ]; do sleep 0.1; done"}]


@pytest.fixture(autouse=True)
def _installed() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed here")
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")


def _on(home: Home, server: Server) -> Home:
    server.run("CREATE DATABASE p")
    home.environ["PERLES_DATABASE"] = server.url("p")
    assert home.perles("list").returncode == 0
    return home


def test_an_engine_without_a_watchdog_is_waited_for_while_its_server_restarts(
    fresh_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(fsync="on") as first:
        home = _on(fresh_home, first)
        served = home.popen("serve", "--foreground", stdout=None, stderr=None)
        engine = home.wait_for_engine()
        followed = home.popen("run", home.pipeline("p", GATE))
        home.wait_for("its task", lambda: home.events("--type", "turn.started"))
        stop(first)
        with started(first.folder):
            monkeypatch.setenv("PERLES_DATABASE", home.environ["PERLES_DATABASE"])
            assert ControlPlane(home.root).is_attended()
            home.wait_for("the lead", lambda: home.engine_pid() == engine)
            (home.work / "go").touch()
            said = followed.communicate(timeout=DEADLINE)[1]
            assert (followed.returncode, said) == (0, "")
            home.perles("engine", "stop")
            served.wait(DEADLINE)


def test_an_engine_of_another_machine_is_given_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.ensure(path)
    lead = single_instance.Lead(path)
    assert not lead.comes_back()  # none ever led

    def there(tx: Tx) -> None:
        tx.insert(Engine, id=1, pid=1, host="elsewhere", boot_id="", version="1", **times)

    database = Database(path)
    times = {"started_at": "2026-01-01T00:00:00.000Z", "heartbeat_at": "2026-01-01T00:00:00.000Z"}
    database.write(there)
    assert lead.comes_back()
    with monkeypatch.context() as patched:
        patched.setattr(single_instance, "RETURN_SECONDS", 0.0)
        assert not lead.comes_back()
    assert lead.comes_back()
    database.write(lambda tx: tx.update(Engine, 1, ended_at=tx.now))
    assert not lead.comes_back()
    database.dispose()


def test_an_engine_that_is_started_waits_for_a_free_connection(fresh_home: Home) -> None:
    with running(max_connections="12") as server:
        home = _on(fresh_home, server)
        home.root.mkdir(exist_ok=True)
        log = server.folder / "log"
        with _all_taken(server):
            refused = _refusals(log)
            command = watchdog.command(isolated.command("perles", "serve", "--foreground"), idle="")
            dog = subprocess.Popen(command, env=home.environ, cwd=home.work)
            home.wait_for("a second try", lambda: _refusals(log) > refused + 1)
            assert dog.poll() is None
        home.wait_for_engine()
        home.perles("engine", "stop")
        dog.wait(DEADLINE)


def _refusals(log: Path) -> int:
    return log.read_text().count("too many clients")


@contextmanager
def _all_taken(server: Server) -> Iterator[None]:
    import psycopg

    with ExitStack() as held:

        def take_all() -> None:
            for _ in range(20):
                held.enter_context(psycopg.connect(server.url()))

        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            take_all()
        yield
