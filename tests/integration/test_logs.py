"""`perles logs`: what agents printed, from the files."""

from pathlib import Path

import pytest

from tests.integration.cli import DEADLINE, Home


@pytest.fixture
def ran(home: Home) -> Home:
    tasks = [
        {"key": "a", "run": "printf 'one\\ntwo \\033[31mred\\n'; echo no newline | tr -d '\\n'"}
    ]
    home.perles("run", home.pipeline("p", tasks))
    return home


def test_each_turn_has_a_heading_and_what_was_printed(ran: Home) -> None:
    printed = ran.perles("logs", "p", "--agent", "worker-1").stdout

    assert printed.startswith("── worker-1, turn 1: succeeded, ")
    assert printed.splitlines()[1:] == ["one", "two red", "no newline"]


def test_raw_in_a_pipe_is_every_byte(ran: Home) -> None:
    printed = ran.perles("logs", "p", "--agent", "worker-1", "--raw").stdout

    assert printed == "one\ntwo \x1b[31mred\nno newline"


def test_standard_error_is_shown_apart(home: Home) -> None:
    home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}]))
    session = Path(home.json("show", "p", "--json")["session_dir"])
    (session / "worker-1" / "turn-001.stderr.log").write_text("what went wrong\n")

    assert "what went wrong" in home.perles("logs", "p", "--stderr").stdout
    assert "what went wrong" not in home.perles("logs", "p").stdout


def test_following_goes_on_until_the_workflow_ends(home: Home) -> None:
    tasks = [{"key": "a", "run": "echo first; until test -e go; do sleep 0.05; done; echo last"}]
    home.perles("serve", "--detach")
    id = home.perles("create", home.pipeline("p", tasks)).stdout.strip()
    following = home.popen("logs", id, "--follow")
    home.perles("start", id)
    home.wait_for("the first line", lambda: "first" in home.perles("logs", id).stdout)

    (home.work / "go").touch()
    printed, _ = following.communicate(timeout=DEADLINE)

    assert following.returncode == 0
    assert [line for line in printed.splitlines() if line in ("first", "last")] == ["first", "last"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--agent", "worker-9"), 3, "coordinator, worker-1"),
        (("--turn", "99"), 3, "turn"),
        (("--turn", "0"), 2, "numbered from 1"),
    ],
)
def test_what_is_not_there_is_told(
    ran: Home, options: tuple[str, ...], code: int, says: str
) -> None:
    result = ran.perles("logs", "p", *options)

    assert result.returncode == code
    assert says in result.stderr


def test_a_workflow_without_turns_says_so(home: Home) -> None:
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}])).stdout.strip()

    result = home.perles("logs", id)

    assert (result.returncode, result.stdout) == (0, "")
    assert "no agent" in result.stderr


def test_a_deleted_file_shows_nothing_and_is_no_failure(ran: Home) -> None:
    session = Path(ran.json("show", "p", "--json")["session_dir"])
    (session / "worker-1" / "turn-001.stdout.jsonl").unlink()

    assert ran.perles("logs", "p", "--agent", "worker-1").stdout == ""


def test_the_engines_own_log_can_be_read(home: Home) -> None:
    assert home.perles("engine", "logs").returncode == 3
    home.perles("serve", "--detach")
    (home.root / "engine.log").write_text("".join(f"line {n}\n" for n in range(9)))

    assert home.perles("engine", "logs", "-n", "2").stdout == "line 7\nline 8\n"
