"""Whatever an agent puts in the place of a file is neither followed, nor waited for, nor read."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perles.agents.builtin.provider import TextParser
from perles.agents.clis import other_servers
from perles.agents.provider import Launch
from perles.executor.contract import TurnFiles
from perles.executor.local import launcher, output
from perles.executor.local.identity import identify
from perles.executor.local.output_file import Source
from perles.workspace import door, session

SECRET = "the key of somebody else"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link(path: Path) -> None:
    path.symlink_to(_victim(path))


def _hard_link(path: Path) -> None:
    path.hardlink_to(_victim(path))


def _folder(path: Path) -> None:
    (path / "deep").mkdir(parents=True)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _victim(path: Path) -> Path:
    return path.parents[1] / "victim"


KINDS = [_fifo, _zero, _link, _hard_link, _folder, _socket]
each_kind = pytest.mark.parametrize("put", KINDS, ids=lambda put: put.__name__.strip("_"))


@pytest.fixture(autouse=True)
def _no_hanging() -> Iterator[None]:
    """A test that opens a pipe and waits has failed."""

    def fail(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An agent's folder, beside a file that is none of its business."""
    victim = tmp_path / "victim"
    victim.write_text(SECRET)
    made = tmp_path / "worker-1"
    made.mkdir()
    return made


@pytest.fixture
def files(folder: Path) -> TurnFiles:
    return TurnFiles.at(folder / "turn-2.out")


def _untouched(folder: Path) -> bool:
    victim = folder.parent / "victim"
    return victim.read_text() == SECRET and victim.stat().st_mode & 0o777 != 0o600


def _spawned(files: TurnFiles, script: str = "cat; echo wrong >&2; exit 3") -> int:
    """Run a turn with these files to its end; the code that its launcher tells its parent."""
    launch = Launch(argv=["/bin/sh", "-c", script], stdin=b"a prompt\n", files={"extra": b"x"})
    env = dict(os.environ)
    found = launcher.spawn(launch, cwd=files.stdout.parent, env=env, files=files)
    return os.waitstatus_to_exitcode(os.waitpid(found.pid, 0)[1])


@each_kind
@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr", "status", "extra"])
def test_a_turn_starts_on_new_files_whatever_stood_there(
    files: TurnFiles, folder: Path, put: Callable[[Path], None], name: str
) -> None:
    put(folder / "extra" if name == "extra" else getattr(files, name))

    assert _spawned(files) == 3

    assert files.stdout.read_text() == "a prompt\n"
    assert files.stderr.read_text() == "wrong\n"
    assert launcher.left_status(files.status) == 3
    assert _untouched(folder)


@each_kind
def test_a_launcher_ends_whatever_its_agent_put_in_the_place_of_the_status(
    files: TurnFiles, folder: Path, put: Callable[[Path], None]
) -> None:

    def replace() -> None:
        _until(files.stdout.exists)
        put(files.status)

    ready = threading.Thread(target=replace)
    ready.start()
    script = f"echo here; until [ -e {files.status} ] || [ -L {files.status} ]; do :; done; exit 3"

    assert _spawned(files, script) == 3

    ready.join()
    if put is not _hard_link:  # which is a file that the agent may write to as well
        assert launcher.left_status(files.status) is None
        assert _untouched(folder)


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        os.sched_yield()


@each_kind
def test_what_stands_in_the_place_of_a_file_is_not_read(
    files: TurnFiles, folder: Path, put: Callable[[Path], None]
) -> None:
    for path in (files.stdout, files.stderr, files.status, folder / "token"):
        put(path)
    source = Source(files.stdout, text_only=False)

    assert output.tail_of(files.stderr) == []
    assert launcher.left_status(files.status) is None
    assert source.size(None) == 0
    assert source.read(0, TextParser(), None, ended=True).events == []
    source.replay(10, TextParser(), None)
    with pytest.raises(OSError, match="it was replaced"):
        session.read_token(folder.parent, "worker-1")
    source.close()


@each_kind
def test_a_token_is_written_to_a_new_file(folder: Path, put: Callable[[Path], None]) -> None:
    put(folder / "token")

    hashed = session.new_token(folder.parent, "worker-1")

    assert session.token_hash(session.read_token(folder.parent, "worker-1")) == hashed
    assert _untouched(folder)


@each_kind
def test_output_is_read_on_where_its_process_writes_it(
    files: TurnFiles, put: Callable[[Path], None]
) -> None:
    """The file was replaced before anybody had looked at it."""
    keep = launcher.spawn(
        Launch(argv=["/bin/sh", "-c", "echo begins; sleep 61"]),
        cwd=files.stdout.parent,
        env=dict(os.environ),
        files=files,
    )
    try:
        _until(lambda: files.stdout.read_text() == "begins\n")
        files.stdout.unlink()
        put(files.stdout)
        source = Source(files.stdout, text_only=True)

        batch = source.read(0, TextParser(), identify(keep.pid), ended=False)

        assert [event.text for event in batch.events] == ["begins"]
        source.close()
    finally:
        os.killpg(keep.pid, signal.SIGKILL)
        os.waitpid(keep.pid, 0)


@pytest.mark.parametrize("put", [_fifo, _zero, _folder, _socket])
@pytest.mark.parametrize("name", [".codex/config.toml", "opencode.json", "opencode.jsonc"])
def test_a_configuration_in_the_work_dir_that_is_no_file_is_none(
    folder: Path, put: Callable[[Path], None], name: str
) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    put(path)
    environ = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "none")}

    assert other_servers.codex_servers(environ, folder) == {}
    assert other_servers.opencode_servers(environ, folder) == []


def test_a_configuration_may_be_a_link_as_people_keep_them(folder: Path) -> None:
    (folder.parent / "dotfiles.toml").write_text('[mcp_servers.x]\ncommand = "y"\n')
    (folder / ".codex").mkdir()
    (folder / ".codex" / "config.toml").symlink_to(folder.parent / "dotfiles.toml")

    assert other_servers.codex_servers({"HOME": str(folder)}, folder) == {"x": "command"}


def test_nothing_is_written_below_a_folder_that_became_a_link(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    folder.rmdir()
    folder.symlink_to(elsewhere)

    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        door.write(folder / "token", b"x")

    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "others"),
    [
        ("turn-012.stdout.jsonl", ["turn-012.prompt.md", "turn-012.stderr.log", "turn-012.status"]),
        ("turn-12.out", ["turn-12.in", "turn-12.err", "turn-12.status"]),
    ],
)
def test_the_files_of_a_turn_lie_beside_its_output_under_new_and_old_names(
    tmp_path: Path, output: str, others: list[str]
) -> None:
    files = TurnFiles.at(tmp_path / output)

    assert files.stdout == tmp_path / output
    assert [path.name for path in (files.stdin, files.stderr, files.status)] == others
