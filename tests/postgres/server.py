"""A PostgreSQL server for tests: one for a run, in a temporary folder, reached by a socket.

It forgets what it has when the machine goes down (no fsync): nothing here tests that.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

_DEBIAN: Final = Path("/usr/lib/postgresql")
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "max_wal_size": "1GB",
    "logging_collector": "off",
}
SECONDS: Final = 120.0
"""How long a server may take to come up."""


class Server(NamedTuple):
    """A server that runs."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres") -> str:
        """Where one of its databases is."""
        return f"postgresql://perles@/{database}?host={self.folder}&port={self.port}"

    def run(self, sql: str, database: str = "postgres") -> str:
        """What `psql` prints for a text of SQL, bare. Raises `AssertionError` with its words."""
        command = [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database)]
        done = subprocess.run(command, input=sql, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def program(name: str) -> str:
    """One of PostgreSQL's programs. Raises `LookupError` where it is not installed."""
    newest = sorted(_DEBIAN.glob("*/bin"), key=lambda path: -int(path.parent.name.split(".")[0]))
    found = shutil.which(name, path=os.pathsep.join([*map(str, newest), os.environ["PATH"]]))
    if found is None:
        raise LookupError(f"PostgreSQL is not installed: there is no {name}")
    return found


def is_installed() -> bool:
    """Whether there is a server to start."""
    try:
        program("initdb")
    except LookupError:
        return False
    return True


@contextmanager
def running(**settings: str) -> Iterator[Server]:
    """A new server with these settings, ended and removed with all that it has."""
    with _folder() as folder:
        made = ["-D", str(folder / "data"), "-U", "perles", "-A", "trust", "-N"]
        _run("initdb", *made, "--locale=C.UTF-8", "-E", "UTF8")
        with started(folder, **settings) as server:
            yield server


@contextmanager
def replica_of(server: Server) -> Iterator[Server]:
    """A server that follows another one, and can only be read."""
    with _folder() as folder:
        copied = ["-d", server.url(), "-D", str(folder / "data"), "-R", "-X", "stream"]
        _run("pg_basebackup", *copied, "--checkpoint=fast")
        with started(folder) as made:
            yield made


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Server]:
    """The server of a folder that is there, ended afterwards."""
    server = _started(folder, {**_SETTINGS, **settings})
    try:
        yield server
    finally:
        stop(server)


def stop(server: Server) -> None:
    """End a server as an administrator does: sessions are cut."""
    server.process.send_signal(signal.SIGINT)
    _wait_for_end(server.process)


@contextmanager
def _folder() -> Iterator[Path]:
    # Not in a test's own folder: the path of a socket has room for 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="perles-pg-", dir="/tmp"))
    try:
        owner = _owner()
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(name: str, *arguments: str) -> None:
    command = [*_as(_owner()), program(name), *arguments]
    subprocess.run(command, check=True, capture_output=True, cwd="/")


def _started(folder: Path, settings: dict[str, str]) -> Server:
    data = folder / "data"
    given = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    command = [*_as(_owner()), program("postgres"), "-D", str(data), "-k", str(folder), *given]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    port = settings.get("port", "5432")
    server = Server(folder, int(port), process)
    deadline = time.monotonic() + SECONDS
    ready = [program("pg_isready"), "-q", "-h", str(folder), "-p", port]
    while subprocess.run(ready, check=False).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError(f"the server did not come up: {(folder / 'log').read_text()}")
        time.sleep(0.05)
    return server


def _owner() -> pwd.struct_passwd | None:
    """As whom the server runs: not as root, which it refuses."""
    if os.getuid():
        return None
    names = {one.pw_name: one for one in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _as(owner: pwd.struct_passwd | None) -> list[str]:
    if owner is None:
        return []
    ids = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, "--"]


def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
