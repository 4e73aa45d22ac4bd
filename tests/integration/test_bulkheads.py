"""What one turn raises ends that turn, three in a row its workflow, and never the engine."""

import signal
import subprocess
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.agents import bounds
from perles.agents.provider import AgentEvent, Kind
from perles.domain.bounds import MAX_LINE_TOKENS, MAX_TOTAL_TOKENS
from perles.engine.bulkhead import UNHANDLED
from perles.executor.local import launcher
from perles.executor.local.processes import family
from perles.store.sqlite.driver import dbapi
from tests.integration import raising_providers
from tests.integration.cli import DEADLINE, Home
from tests.integration.raising_providers import PHASES
from tests.integration.scripted_cli import configure, program, prompted

BEGUN = "SELECT 1 FROM turns WHERE workflow_id = ? AND stdout_offset + pid > 0"
HANDLED = frozenset({"nul", "types"})
"""What is no trouble any more: it is refused, or brought within bounds, where it comes in."""


@pytest.fixture
def raising(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home that knows the raising providers; many workflows at once take their time."""
    monkeypatch.setattr("tests.integration.cli.DEADLINE", 120.0)
    raising_providers.install(home)
    home.environ["PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKFLOWS_RUNNING"] = "20"
    return home


def _row(home: Home, sql: str, *values: object) -> list[Any]:
    with closing(dbapi.connect(home.database)) as connection, connection:
        found: list[Any] = connection.execute(sql, values).fetchall()
    connection.close()
    return found


def _start(home: Home, provider: str, run: str = "true") -> str:
    """Create and start a workflow whose agents are of this provider; its id."""
    args = {"file": str(home.pipeline("p", [{"key": "a", "run": run}]))}
    spec = WorkflowSpec(template_id="pipeline", work_dir=str(home.work), args=args)
    plane = ControlPlane(home.root)
    id = plane.create(spec)
    sql = "UPDATE workflows SET provider = ?1, worker_provider = ?1 WHERE id = ?2"
    _row(home, sql, provider, id)
    _row(home, "UPDATE tasks SET worker = ? WHERE workflow_id = ?", provider, id)
    plane.start(id, wait=False)
    return id


def _state(home: Home, id: str) -> str:
    return str(_row(home, "SELECT state FROM workflows WHERE id = ?", id)[0][0])


def _end(home: Home, id: str) -> str:
    def end() -> str | None:
        state = _state(home, id)
        return state if state in ("completed", "failed", "stopped") else None

    return str(home.wait_for(f"the end of {id}", end))


def _ended(engine: "subprocess.Popen[str]") -> str:
    engine.send_signal(signal.SIGTERM)
    _, said = engine.communicate(timeout=DEADLINE)
    assert engine.returncode == 0, said
    return said


def test_whatever_a_provider_raises_fails_its_own_workflow_only(raising: Home) -> None:
    engine = raising.popen("serve")
    ids = {phase: _start(raising, f"raises_{phase}") for phase in PHASES}
    innocent = _start(raising, "builtin")

    assert _end(raising, innocent) == "completed"
    assert {_end(raising, id) for id in ids.values()} == {"failed"}

    for phase, id in ids.items():
        ((reason,),) = _row(raising, "SELECT reason FROM workflows WHERE id = ?", id)
        turns = _row(raising, "SELECT status, error_class FROM turns WHERE workflow_id = ?", id)
        assert (UNHANDLED in reason) == (phase not in HANDLED), (phase, reason)
        assert turns == [("failed", "crashed")] * 3, (phase, turns)
        assert family([f"PERLES_WORKFLOW={id}"]) == []
    assert engine.poll() is None
    said = _ended(engine)
    assert "ValueError: in feed" in said, "its traceback is in the log"


@pytest.mark.parametrize("how", ["raises", "unknown"])
def test_an_engine_comes_up_beside_a_live_turn_that_it_cannot_handle(
    raising: Home, how: str
) -> None:
    engine = raising.popen("serve")
    hostile = _start(raising, "raises_later")
    go = raising.work / "go"
    innocent = _start(raising, "builtin", f"until test -e {go}; do sleep 0.05; done")
    for id in (hostile, innocent):
        raising.wait_for("its turn", partial(_row, raising, BEGUN, id))
    with engine:  # its pipes are not read to their end: the keeper of its ports has them, too
        engine.kill()

    (raising.work / "now").touch()
    if how == "unknown":
        _row(raising, "UPDATE agents SET provider = 'gone' WHERE workflow_id = ?", hostile)
    engine = raising.popen("serve")
    query = "SELECT error FROM turns WHERE workflow_id = ? AND status = 'failed'"
    errors = raising.wait_for("the failed turn", lambda: _row(raising, query, hostile))

    assert errors[0][0].startswith(UNHANDLED)
    assert _end(raising, hostile) == "failed"
    assert family([f"PERLES_WORKFLOW={hostile}"]) == []
    go.touch()
    assert _end(raising, innocent) == "completed"
    _ended(engine)


def test_a_foreign_mark_in_an_environment_is_nobodys(home: Home) -> None:
    marks = [f"wf-x/{'9' * 5000}", "wf-x/-1", "wf-x", f"{'x' * 5000}/1", "wf-x/٣"]
    strangers = [subprocess.Popen(["sleep", "61"], env={"PERLES_TURN": mark}) for mark in marks]
    try:
        assert home.perles("maintenance", "check").returncode == 0
        assert home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}])).returncode == 0
        assert [one.poll() for one in strangers] == [None] * len(strangers)
    finally:
        for one in strangers:
            one.kill()
            one.wait()


CODEX = """\
import sys
sys.stdin.read()
print('{"type":"thread.started","thread_id":"a\\\\u0000b"}')
print('{"type":"error","message":"{\\\\"error\\\\":{\\\\"message\\\\":\\\\"\\\\\\\\ud800\\\\"}}"}')
for _ in range(2000):
    print('{"type":"turn.completed","usage":{"input_tokens":9e14,"output_tokens":9e14}}')
said = '{\\\\"error\\\\":{\\\\"message\\\\":\\\\"cut \\\\\\\\ud800\\\\"}}'
print('{"type":"turn.failed","error":{"message":"' + said + '"}}')
"""


def test_an_agents_numbers_ids_and_halves_of_letters_stay_within_bounds(home: Home) -> None:
    codex = home.work / ".codex"
    codex.mkdir()
    (codex / "config.toml").write_text(f"x = {'9' * 5000}\n")
    configure(home, codex={"executable": program(home, "codex", CODEX)})

    result = home.perles("run", prompted(home, worker="codex"))

    assert result.returncode == 1
    (task,) = home.json("show", home.only(), "--json")["tasks"]
    assert task["failure"].endswith("cut ?"), task
    ((tokens,),) = _row(home, "SELECT tokens FROM totals")
    assert isinstance(tokens, int)
    assert 0 < tokens <= MAX_TOTAL_TOKENS
    assert _row(home, "SELECT provider_session_id FROM agents WHERE provider = 'codex'") == [
        (None,)
    ]


@pytest.mark.parametrize("text", ["9" * 23, "9" * 5000, "256", "-1", "1e1", "٣", " 1", "0x1", ""])
def test_an_exit_status_that_no_process_has_is_none(tmp_path: Path, text: str) -> None:
    status = tmp_path / "turn-1.status"
    status.write_text(f"exit {text}\n")

    assert launcher.left_status(status) is None


@pytest.mark.parametrize("value", [10**30, 9e300, float("inf"), -5, "x", None, True, float("nan")])
def test_a_number_of_tokens_is_one_that_a_row_takes(value: object) -> None:
    made = bounds.event(AgentEvent(Kind.USAGE, "", {"tokens_in": value, "cost_usd": value}))

    assert made is not None
    assert isinstance(made.data["tokens_in"], int)
    assert 0 <= made.data["tokens_in"] <= MAX_LINE_TOKENS


@pytest.mark.parametrize("id", ["a\0b", "a\nb", "\x1b[2J", "x" * 201, "--help", "", "\ud800", 7])
def test_an_id_that_cannot_be_an_argument_is_none(id: object) -> None:
    assert bounds.session_id(id) is None


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _overwrite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


def _replace(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


@pytest.mark.parametrize(
    ("command", "damage"),
    [
        (("list",), _truncate),
        (("show", "wf-aaaaaaaa"), _overwrite),
        (("inbox",), _replace),
        (("serve", "--exit-when-idle"), _truncate),
        (("serve", "--exit-when-idle"), _overwrite),
        (("start", "wf-aaaaaaaa"), _truncate),
        (("maintenance", "reconcile"), _overwrite),
    ],
)
def test_a_damaged_database_is_told_in_a_line(
    home: Home, command: tuple[str, ...], damage: Any
) -> None:
    damage(home.database)

    said = home.perles(*command)

    assert said.returncode == 7, said.stderr
    assert said.stderr.startswith("perles: cannot use database"), said.stderr
    assert said.stderr.count("\n") == 1
