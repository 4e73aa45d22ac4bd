"""What one turn may have written about it: an agent that floods us fills no disk."""

from contextlib import closing
from typing import Any

import pytest

from perles.engine.commands.call_allowances import MAX_REFUSED
from perles.engine.resources.allowance import CALL_BYTES, OUTPUT_ROWS, Allowance
from perles.store import place
from perles.store.reads.connection import reading
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home
from tests.integration.scripted_cli import TOOLS, configure, program, prompted

LINES = 12_000
CALLS = 60
LETTERS = 100_000
REPORT = "tools.call('report_implementation_complete', summary='done all the same')"
COMPLETE = "tools.call('signal_workflow_complete', status='success', summary='done all the same')"
GOAL = ("run", "make the tests faster", "--coordinator", "mycli")
FLOODS = {
    "usage": 'print(json.dumps({"usage": {"in": 2, "out": 1}}))',
    "tools": 'print(json.dumps({"tool": "look", "text": "x" * 40}))',
    "errors": 'print(json.dumps({"error": {"message": "no"}}))',
}


def _agent(home: Home, source: str, end: str = REPORT) -> None:
    path = program(
        home,
        "mycli",
        f"{TOOLS}tools = client(sys.argv[1])\nsys.stdin.read()\n{source}\n"
        "print(json.dumps({'text': 'the end'}), flush=True)\n"
        f"{end}\n",
    )
    paths = {
        "text": "text",
        "tool": "tool",
        "tokens_in": "usage.in",
        "tokens_out": "usage.out",
        "error": "error.message",
    }
    mycli = {"type": "command", "argv": [path, "{mcp_config}"], "mcp": "json-file"}
    configure(
        home,
        providers={"mycli": {**mycli, "output": "jsonl", "paths": paths, "tokens_are": "line"}},
    )


def _rows(home: Home, sql: str) -> list[Any]:
    with closing(dbapi.connect(home.database)) as connection:
        found: list[Any] = connection.execute(sql).fetchall()
        return found


def _left_out(home: Home) -> dict[str, Any]:
    (event,) = [one for one in home.events() if one["type"] == "turn.left_out"]
    found: dict[str, Any] = event["payload"]
    return found


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_lines_is_journalled_up_to_a_limit(home: Home, kind: str) -> None:
    _agent(home, f"for _ in range({LINES}):\n    {FLOODS[kind]}")

    result = home.perles("run", prompted(home))

    assert result.returncode == 0, result.stderr
    rows = "SELECT count(*) FROM events WHERE type IN ('worker.output', 'agent.usage')"
    ((written,),) = _rows(home, rows)
    assert OUTPUT_ROWS <= written < OUTPUT_ROWS + 100
    assert _left_out(home)["output"]["count"] >= LINES + 1 - OUTPUT_ROWS
    told = [one for one in home.events() if one["type"] == "turn.allowance_used_up"]
    assert [one["payload"]["of"] for one in told] == ["output"]
    used = "SELECT max(tokens_in + tokens_out), max(stdout_offset) FROM turns"
    ((tokens, read),) = _rows(home, used)
    assert tokens == (3 * LINES if kind == "usage" else 0), "usage is counted on"
    assert read > LINES * 20, "its output is read to the end"


def test_calls_are_carried_out_up_to_a_limit_and_then_answered_so(home: Home) -> None:
    _agent(
        home,
        f"answers = []\nfor _ in range({CALLS}):\n    try:\n"
        f"        tools.call('notify_user', message='m' * {LETTERS})\n"
        "    except CallFailed as error:\n        answers.append(str(error))\n"
        "print(json.dumps({'text': f'{len(answers)} refused: {answers[-1]}'}), flush=True)",
        COMPLETE,
    )

    result = home.perles(*GOAL)

    assert result.returncode == 0, result.stderr
    ((size,),) = _rows(home, "SELECT sum(length(args)) FROM commands")
    assert size < CALL_BYTES + 2 * LETTERS
    assert _left_out(home)["calls"]["count"] > 0
    assert home.database.stat().st_size < 4 * CALL_BYTES


def test_of_a_refused_call_little_is_kept(home: Home) -> None:
    _agent(
        home,
        f"for _ in range({CALLS}):\n    try:\n"
        f"        tools.call('create_task', key='k', title='t', body='m' * {LETTERS},"
        " after=['no'])\n"
        "    except CallFailed:\n        pass",
        COMPLETE,
    )

    assert home.perles(*GOAL).returncode == 0

    refused = "SELECT length(args), length(error) FROM commands WHERE status = 'rejected'"
    sizes = _rows(home, refused)
    assert sizes
    assert max(args + error for args, error in sizes) < 6 * MAX_REFUSED


def test_a_neighbour_goes_on_beside_floods(home: Home) -> None:
    _agent(home, f"for _ in range({LINES}):\n    {FLOODS['tools']}\n__import__('time').sleep(600)")
    home.environ["PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKFLOWS_RUNNING"] = "3"
    assert home.perles("serve", "--detach").returncode == 0
    flood = home.perles("create", prompted(home)).stdout.split()[0]
    assert home.perles("start", flood).returncode == 0
    home.wait_for(
        "the flood's limit",
        lambda: _rows(home, "SELECT 1 FROM events WHERE type = 'turn.allowance_used_up'"),
    )

    assert home.perles("run", home.pipeline("n", [{"key": "a", "run": "true"}])).returncode == 0

    size = _bytes(home)
    assert home.perles("stop", flood, "--force").returncode == 0
    assert size < 40 * 1024 * 1024


def _bytes(home: Home) -> int:
    """What the database takes on the disk."""
    with reading(home.database) as connection:
        assert connection is not None
        on_server = place.bytes_of(connection)
    if on_server is not None:
        return on_server
    log = home.database.with_name("perles.db-wal")
    return home.database.stat().st_size + log.stat().st_size


def test_of_calls_only_those_that_end_the_turn_go_on() -> None:
    calls = Allowance.calls(2)
    for _ in range(2):
        assert calls.admits("notify_user", 10)
        calls.take(10)

    assert not calls.admits("notify_user", 10)
    assert calls.admits("report_implementation_complete", 10)
    assert not calls.admits("report_implementation_complete", 10**6)
    assert (calls.left_rows, calls.left_bytes) == (2, 10 + 10**6)
