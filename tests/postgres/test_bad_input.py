"""Databases and servers that will not do, or that fail: told in a line, with what to do."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from perles.domain.errors import DatabaseError
from perles.store import migrate
from perles.store.postgres import opening
from tests import ports
from tests.integration.cli import Home
from tests.integration.conftest import fresh_home
from tests.postgres.server import Server, is_installed, replica_of, running, started

__all__ = ["fresh_home"]

WORD = "hidden-word"
CREATE = [("list",), ("create", "p.yaml"), ("serve", "--foreground"), ("doctor",)]


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    """A server that asks for passwords over TCP, and lets few in."""
    pytest.importorskip("psycopg", reason="psycopg is not installed here")
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    port = str(ports.HOME + 240)
    with running(listen_addresses="127.0.0.1", port=port, max_connections="12") as made:
        (made.folder / "data" / "pg_hba.conf").write_text(
            "local all all trust\nlocal replication all trust\nhost all all all scram-sha-256\n"
        )
        made.run("SELECT pg_reload_conf(); CREATE DATABASE p")
        made.run(f"CREATE ROLE weak LOGIN PASSWORD '{WORD}'")
        made.run("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'")
        yield made


def _tcp(server: Server, database: str, user: str = "weak", word: str = WORD) -> str:
    return f"postgresql://{user}:{word}@127.0.0.1:{server.port}/{database}"


def _told(home: Home, url: str, *args: str, code: int = 7) -> str:
    """What a command says that is refused: a line or two, without the password."""
    home.pipeline("p", [{"key": "a", "run": "true"}])
    done = home.perles(*args, PERLES_DATABASE=url)
    said = done.stdout if args[0] == "doctor" else done.stderr
    assert done.returncode == (1 if args[0] == "doctor" else code), done
    assert args[0] == "doctor" or len(said.splitlines()) <= 2, said
    assert "Traceback" not in said
    assert "internal error" not in said
    assert WORD not in done.stdout + done.stderr
    for file in home.root.glob("*.log"):
        assert WORD not in file.read_text()
    return said


@pytest.mark.parametrize("args", CREATE)
@pytest.mark.parametrize(
    ("database", "user", "word", "says", "advises"),
    [
        ("p", "weak", f"{WORD}-not", "password authentication failed", "PGPASSWORD"),
        ("nope", "weak", WORD, 'database "nope" does not exist', "createdb"),
        ("latin", "weak", WORD, "its encoding is LATIN1", "--encoding=UTF8"),
    ],
)
def test_a_database_that_lets_nobody_in(
    strict: Server,
    fresh_home: Home,
    args: tuple[str, ...],
    database: str,
    user: str,
    word: str,
    says: str,
    advises: str,
) -> None:
    said = _told(fresh_home, _tcp(strict, database, user, word), *args)

    assert says in said
    assert advises in said


@pytest.mark.parametrize("args", [("create", "p.yaml"), ("serve", "--foreground")])
def test_a_user_who_may_not_make_tables(
    strict: Server, fresh_home: Home, args: tuple[str, ...]
) -> None:
    assert "GRANT it" in _told(fresh_home, _tcp(strict, "p"), *args)


def test_a_user_that_is_not_there(strict: Server, fresh_home: Home) -> None:
    url = strict.url("p").replace("//perles@", "//nobody_here@")

    assert "does not let this user in" in _told(fresh_home, url, "list")


def test_a_number_that_no_column_holds(path: Path, fresh_home: Home) -> None:
    migrate.ensure(path)
    url = os.environ["PERLES_DATABASE"]

    assert "so large a number" in _told(fresh_home, url, "list", "--limit", "9" * 30, code=2)


@pytest.mark.parametrize("args", CREATE)
def test_a_database_of_a_newer_perles(
    server: Server, path: Path, fresh_home: Home, args: tuple[str, ...]
) -> None:
    migrate.ensure(path)
    url = os.environ["PERLES_DATABASE"]
    server.run("UPDATE alembic_version SET version_num = '9999'", url.split("/")[3].split("?")[0])

    assert "upgrade perles" in _told(fresh_home, url, *args)


def test_a_server_that_is_a_replica(server: Server, fresh_home: Home) -> None:
    with replica_of(server) as replica:
        for args in CREATE:
            assert "name the primary" in _told(fresh_home, replica.url(), *args)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ((120_019, False, "UTF8", 1), "is PostgreSQL 12, Perles needs 13"),
        ((90_624, False, "UTF8", 1), "is PostgreSQL 9,"),
        ((150_000, True, "UTF8", 1), "is a replica"),
        ((150_000, False, "SQL_ASCII", 1), "its encoding is SQL_ASCII"),
    ],
)
def test_servers_that_will_not_do(facts: tuple[int, bool, str, int], says: str) -> None:
    with pytest.raises(DatabaseError, match=says):
        opening.refuse_unfit("postgresql://db/x", facts)


def test_a_server_without_a_free_connection(strict: Server, fresh_home: Home) -> None:
    strict.run("CREATE DATABASE taken")
    with _all_taken(strict):
        for args in CREATE:
            said = _told(fresh_home, strict.url("taken"), *args)
            assert "raise its max_connections" in said
    assert fresh_home.perles("list", PERLES_DATABASE=strict.url("taken")).returncode == 0


@contextmanager
def _all_taken(server: Server) -> Iterator[None]:
    import psycopg

    with ExitStack() as held:

        def take_all() -> None:
            for _ in range(20):
                held.enter_context(psycopg.connect(server.url("taken")))

        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            take_all()
        yield


@pytest.mark.parametrize(("mode", "code"), [("transaction", 7), ("session", 0)])
def test_a_pooler(
    server: Server, path: Path, fresh_home: Home, tmp_path: Path, mode: str, code: int
) -> None:
    if shutil.which("pgbouncer") is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    migrate.ensure(path)
    name = os.environ["PERLES_DATABASE"].split("/")[3].split("?")[0]
    with _pooler(server, name, mode) as url:
        done = fresh_home.perles("list", PERLES_DATABASE=url)
        assert done.returncode == code, done.stderr
        assert code == 0 or "set pool_mode = session" in done.stderr


@contextmanager
def _pooler(server: Server, name: str, mode: str) -> Iterator[str]:
    folder = server.folder / f"pooler-{mode}"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "ini").write_text(
        f"[databases]\n{name} = host={server.folder} port={server.port} user=perles\n[pgbouncer]\n"
        f"listen_addr=\nlisten_port=6432\nunix_socket_dir={folder}\nauth_type=any\n"
        f"pool_mode={mode}\n"
    )
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    with (folder / "log").open("wb") as log:
        command = ["pgbouncer", *user, str(folder / "ini")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _until(lambda: (folder / ".s.PGSQL.6432").exists(), (folder / "log"))
        yield f"postgresql://perles@/{name}?host={folder}&port=6432"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def test_a_server_that_crashes_under_a_workflow(fresh_home: Home) -> None:
    """Commands and the engine wait for it; nothing is lost, and nothing told twice."""
    pytest.importorskip("psycopg", reason="psycopg is not installed here")
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    home = fresh_home
    with running(fsync="on", full_page_writes="on") as first:
        first.run("CREATE DATABASE p")
        home.environ["PERLES_DATABASE"] = first.url("p")
        home.perles("serve", "--detach")
        text = "until [ -e go ]; do sleep 0.1; done; echo $KEY >>done"
        tasks = [{"key": key, "run": text, "env": {"KEY": key}} for key in "abc"]
        followed = home.popen("run", home.pipeline("p", tasks))
        home.wait_for("an agent", lambda: home.events("--type", "turn.started"))
        first.process.send_signal(signal.SIGQUIT)  # as a crash: nobody is told, nothing is saved
        first.process.wait()
        with started(first.folder):
            (home.work / "go").touch()
            told, said = followed.communicate(timeout=60)
            assert followed.returncode == 0, said
            seqs = [event["seq"] for event in home.events()]
            assert seqs == sorted(set(seqs))
            home.perles("engine", "stop")
    assert sorted((home.work / "done").read_text().split()) == ["a", "b", "c"]
    assert "completed" in told


def test_a_full_disk_of_the_server_is_waited_out(fresh_home: Home) -> None:
    """A command tells; an engine waits until there is room, and loses nothing."""
    pytest.importorskip("psycopg", reason="psycopg is not installed here")
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    home = fresh_home
    with running(max_wal_size="48MB", min_wal_size="32MB") as server, _small_disk(server) as room:
        server.run(f"CREATE TABLESPACE small LOCATION '{room}/space'")
        server.run("CREATE DATABASE p TABLESPACE small")
        home.environ["PERLES_DATABASE"] = server.url("p")
        home.perles("serve", "--detach")
        wide = "until [ -e go ]; do sleep 0.1; done; seq 4000 | sed 's/$/ {}/'"
        file = home.pipeline("wide", [{"key": "a", "run": wide.format("x" * 400)}])
        id = home.perles("create", file).stdout.strip()
        home.perles("start", id)
        home.wait_for("its task", lambda: home.events("--type", "turn.started"))
        _fill(room / "fill")
        (home.work / "go").touch()
        log = home.root / "engine.log"
        home.wait_for("the engine to tell", lambda: "disk of the server is full" in log.read_text())
        (room / "fill").unlink()
        home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")
        lines = home.perles("logs", id).stdout.count("x" * 400)
        home.perles("engine", "stop")
    assert lines == 4000


@contextmanager
def _small_disk(server: Server) -> Iterator[Path]:
    room = server.folder / "small"
    room.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m,mode=777", "tmpfs", str(room)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        (room / "space").mkdir(mode=0o777)
        shutil.chown(room / "space", (server.folder / "data").owner())
        yield room
    finally:
        server.run("DROP DATABASE IF EXISTS p WITH (FORCE); ")
        server.run("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", str(room)], check=True)


def _fill(path: Path) -> None:
    with closing(path.open("wb", buffering=0)) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass  # it is full


def _until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
