"""Wrong input: one or two lines that say what to do, the right exit code, nothing written."""

import ctypes
import json
import os
import resource
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE, Home
from tests.postgres.homes import is_on

ONE = [{"key": "a", "run": "true"}]
USAGE: dict[str, list[str]] = {
    "unknown template": ["run", "pipelin"],
    "missing argument": ["run", "pipeline"],
    "unknown argument": ["run", "pipeline", "--arg", "file=ok.yaml", "--arg", "foo=1"],
    "argument without =": ["run", "pipeline", "--arg", "file"],
    "argument twice": ["run", "ok.yaml", "--arg", "file=x"],
    "missing file": ["run", "nope.yaml"],
    "cycle": ["run", "cycle.yaml"],
    "priority": ["run", "ok.yaml", "--priority", "urgent"],
    "workers": ["run", "ok.yaml", "--workers", "0"],
    "label without =": ["run", "ok.yaml", "--label", "x"],
    "empty label": ["run", "ok.yaml", "--label", "x="],
    "control characters in a name": ["run", "ok.yaml", "--name", "a\x1bb"],
    "empty name": ["run", "ok.yaml", "--name", " "],
    "work dir": ["create", "ok.yaml", "--work-dir", "/nope/nowhere"],
    "budget": ["create", "ok.yaml", "--token-budget", "-1"],
    "budget is no number": ["create", "ok.yaml", "--token-budget", "lots"],
    "cost budget": ["create", "ok.yaml", "--cost-budget", "-0.5"],
    "endless cost budget": ["create", "ok.yaml", "--cost-budget", "inf"],
    "cost budget is none": ["create", "ok.yaml", "--cost-budget", "nan"],
    "nothing to set": ["set", "wf-a"],
    "set nobody": ["set", "--priority", "high"],
    "limit of 0": ["serve", "--max-workers", "0"],
    "port of the system": ["serve", "--port-range-start", "80"],
    "port too high": ["serve", "--port-range-end", "65536"],
    "ports the wrong way round": [
        *("serve", "--port-range-start", "9100", "--port-range-end", "9000"),
    ],
    "history of no hours": ["resources", "history", "--hours", "0"],
    "unknown state": ["list", "--state", "running,runing"],
    "list label": ["list", "--label", "x"],
    "list priority": ["list", "--priority", "x"],
    "list limit": ["list", "--limit", "0"],
    "limit is no number": ["list", "--limit", "x"],
    "events limit too large": ["events", "--limit", "9" * 30],
    "a limit of 5,000 digits": ["list", "--limit", "9" * 5000],
    "a budget too large": ["create", "ok.yaml", "--token-budget", "9" * 30],
    "events limit": ["events", "--limit", "0"],
    "unknown option": ["list", "--bogus"],
    "unknown command": ["frobnicate"],
    "missing id": ["show"],
    "missing config file": ["--config", "nope.yaml", "run", "ok.yaml"],
    "config is a folder": ["--config", ".", "config", "check"],
    "unknown template to show": ["templates", "show", "nope"],
    "template check": ["templates", "check", "cycle.yaml"],
    "shell without database": ["db", "shell"],
}


def _assert_told(result: subprocess.CompletedProcess[str], code: int) -> str:
    told = result.stderr.strip()
    assert result.returncode == code, told
    assert told.startswith("perles: ")
    assert len(told.splitlines()) <= 2
    assert "Traceback" not in told + result.stdout
    assert "\x1b" not in told
    return told


@pytest.mark.parametrize("name", USAGE)
def test_a_wrong_command_line_is_usage_and_writes_nothing(fresh_home: Home, name: str) -> None:
    fresh_home.pipeline("ok", ONE)
    fresh_home.pipeline("cycle", [{"key": "a", "run": "x", "after": ["a"]}])

    _assert_told(fresh_home.perles(*USAGE[name]), 2)

    assert not fresh_home.database.exists()


@pytest.mark.parametrize("args", [("show", "\udcff"), ("create", "\udcff.yaml")])
def test_an_argument_that_is_not_utf8_is_refused(home: Home, args: tuple[str, ...]) -> None:
    home.pipeline("ok", ONE).rename(home.work / "\udcff.yaml")

    assert "it is not UTF-8" in _assert_told(home.perles(*args), 2)


def test_folders_whose_names_are_not_utf8_are_refused(home: Home) -> None:
    file = home.pipeline("ok", ONE)
    state = home.perles("create", file, PERLES_HOME=str(home.root / "\udcff"))
    home.work /= "\udcff"
    home.work.mkdir()

    assert "set PERLES_HOME to another one" in _assert_told(state, 7)
    assert "rename it" in _assert_told(home.perles("create", file), 2)


@pytest.mark.parametrize("verb", ["show", "events", "start", "stop", "pause", "resume", "run"])
def test_an_unknown_workflow_is_not_found(home: Home, verb: str) -> None:
    known = home.perles("create", home.pipeline("ok", ONE)).stdout.strip()
    unknown = "wf-" + "".join("a" if letter != "a" else "b" for letter in known[3:])

    result = home.perles(verb, unknown)

    # `run` takes a template too: there a name that is neither is a wrong command line.
    _assert_told(result, 2 if verb == "run" else 3)


def test_an_id_that_fits_several_is_refused_with_the_matches(home: Home) -> None:
    file = home.pipeline("ok", ONE)
    ids = {home.perles("create", file).stdout.strip() for _ in range(2)}

    by_prefix = _assert_told(home.perles("show", "wf-"), 2)
    by_name = _assert_told(home.perles("stop", "ok"), 2)

    assert all(id in by_prefix and id in by_name for id in ids)


def test_a_workflow_that_runs_or_ended_cannot_be_started(home: Home) -> None:
    id = home.perles("create", home.pipeline("ok", ONE)).stdout.strip()

    for state in ("running", "completed"):
        with closing(dbapi.connect(home.database)) as connection, connection:
            connection.execute("UPDATE workflows SET state = ?", (state,))
        assert f"it is {state}" in _assert_told(home.perles("start", id), 4)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_pending_workflow_can_neither_be_paused_nor_resumed(home: Home, verb: str) -> None:
    id = home.perles("create", home.pipeline("ok", ONE)).stdout.strip()

    assert "it is pending" in _assert_told(home.perles(verb, id), 4)


def test_what_cannot_be_set_is_refused_and_changes_nothing(home: Home) -> None:
    id = home.perles("create", home.pipeline("ok", ONE), "--token-budget", "5").stdout.strip()
    before = home.json("show", id, "--json")

    huge = "9" * 30
    _assert_told(home.perles("list", "--limit", huge), 2)
    for wrong in (
        ("--priority", "hihg"),
        ("--token-budget", huge),
        ("--token-budget", "-1"),
        ("--cost-budget", "nan"),
    ):
        _assert_told(home.perles("set", id, *wrong), 2)

    assert home.json("show", id, "--json") == before
    home.perles("stop", id)
    assert "it is stopped" in _assert_told(home.perles("set", id, "--priority", "high"), 4)
    _assert_told(home.perles("set", "wf-nobody22", "--priority", "high"), 3)


def test_a_file_that_is_no_database_is_told(fresh_home: Home) -> None:
    fresh_home.root.mkdir()
    fresh_home.database.write_bytes(b"this is no database, only text " * 100)

    for argv in (["list"], ["create", str(fresh_home.pipeline("ok", ONE))]):
        assert "not SQLite" in _assert_told(fresh_home.perles(*argv), 7)


def test_a_newer_database_is_refused(home: Home) -> None:
    connection = dbapi.connect(home.database)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    for argv in (["list"], ["create", str(home.pipeline("ok", ONE))], ["serve"]):
        assert "upgrade perles" in _assert_told(home.perles(*argv), 7)


def _heed_modes() -> None:
    """Let the program that is executed next heed file modes, also where root runs the tests."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                os._exit(99)


def test_a_home_that_may_not_be_written_is_told_and_can_still_be_read(home: Home) -> None:
    home.perles("create", home.pipeline("ok", ONE))
    home.root.chmod(0o500)
    home.database.chmod(0o400)
    try:
        for code, *args in ((0, "list"), (7, "create", "ok.yaml"), (7, "serve")):
            result = home.run(home.argv(*args), preexec_fn=_heed_modes)
            if result.returncode == 99:
                pytest.skip("root, whose capabilities cannot be dropped here")
            if code:
                _assert_told(result, code)
            assert result.returncode == code, result.stderr
    finally:
        home.root.chmod(0o700)
        home.database.chmod(0o600)


def test_a_home_that_cannot_be_made_is_told(home: Home) -> None:
    file = home.pipeline("ok", ONE)
    result = home.perles("create", file, PERLES_HOME="/proc/nope/home")

    assert "set PERLES_HOME" in _assert_told(result, 7)


def test_a_locked_database_is_waited_for_and_then_told(home: Home) -> None:
    holder = dbapi.connect(str(home.database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        waiting = home.popen("create", home.pipeline("ok", ONE))
        assert home.perles("list").returncode == 0  # readers are never held up
        out, told = waiting.communicate(timeout=DEADLINE)
    finally:
        holder.close()

    assert (waiting.returncode, out) == (7, "")
    assert "another process " + ("writes" if is_on() else "holds it") in told


def test_a_full_disk_is_told_and_nothing_is_written(home: Home) -> None:
    file = home.pipeline("ok", ONE)
    limit = home.database.stat().st_size + 8192

    result = subprocess.run(
        home.argv("create", file),
        env=home.environ,
        cwd=home.work,
        capture_output=True,
        text=True,
        check=False,
        # No file of this process may grow beyond the limit: what a full disk looks like.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit // 64, limit // 64)),
    )

    assert result.returncode == 7, result.stderr
    assert len(result.stderr.splitlines()) <= 2
    assert home.json("list", "--json") == []


def test_a_port_range_in_use_makes_the_workflow_wait_and_say_so(home: Home) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = str(taken.getsockname()[1])
    prefix = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__PORT_RANGE"
    home.environ |= {f"{prefix}_START": port, f"{prefix}_END": port}

    running = home.popen("run", home.pipeline("ok", ONE))
    try:
        reason = home.wait_for(
            "the reason", lambda: [row["reason"] for row in home.json("list", "--json")]
        )
        home.wait_for("the reason", lambda: home.json("list", "--json")[0]["reason"])
        reason = home.json("list", "--json")[0]["reason"]
        assert reason == f"waiting: no free port in {port}-{port}"
    finally:
        taken.close()
    assert running.wait(30) == 0  # the port came free, and the workflow started by itself
    running.communicate()


def test_a_task_with_wild_output_is_bounded_in_events_and_harmless_on_screen(home: Home) -> None:
    tasks = [
        {"key": "line", "run": "head -c 10000000 /dev/zero | tr '\\0' x"},
        {"key": "bytes", "run": "head -c 3000 /dev/urandom; printf '\\377\\376\\n'"},
        {"key": "codes", "run": "printf '\\033]0;owned\\007\\033[2J\\233H[red]x[/red]\\n'; exit 3"},
        {"key": "much", "run": "yes 'some output' | head -c 50000000"},
    ]

    result = home.perles("run", home.pipeline("wild", tasks))

    assert result.returncode == 1
    for shown in (result, home.perles("show", "wild"), home.perles("events", "wild")):
        assert "\x1b" not in shown.stdout + shown.stderr
        assert "\x9b" not in shown.stdout + shown.stderr
    assert "[red]x[/red]" in home.perles("show", "wild").stdout
    payloads = [len(json.dumps(event["payload"])) for event in home.events()]
    assert max(payloads) < 100_000
    assert sum(payloads) < 12_000_000
    sizes = [path.stat().st_size for path in home.root.rglob("turn-*.stdout.jsonl")]
    assert sum(sizes) > 60_000_000  # the files keep all


def test_an_internal_error_is_one_line_and_its_trace_is_kept(home: Home, tmp_path: Path) -> None:
    home.perles("create", home.pipeline("ok", ONE))
    connection = dbapi.connect(home.database)
    connection.execute("UPDATE tasks SET outputs = 'no json'")
    connection.commit()
    connection.close()

    told = _assert_told(home.perles("show", "ok"), 1)

    assert "internal error" in told
    assert "Traceback" in (home.root / "crash.log").read_text()
