"""Secrets: a canary in every place where one can be given, looked for wherever it could show."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.dashboard.model.state import Detail
from perles.dashboard.reading.detail import read_inside
from perles.domain.secrecy import longest_first, masked, texts_of
from perles.store.place import tables
from perles.store.reads import dashboard
from perles.store.reads.connection import reading
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE, Home
from tests.integration.scripted_cli import TOOLS, configure, program
from tests.postgres.homes import is_on

OF_TASK = "canary-of-a-task"
OF_PIPELINE = "canary-of-the-pipeline"
PLAIN = "canary-without-a-secret-name"
OF_PROVIDER = "canary-of-a-provider"
OF_ENGINE = "canary-of-the-engine"
OF_URL = "canary-in-a-url"
KEY = "-----BEGIN KEY-----\ncanary-in-a-key-of-lines\n-----END KEY-----"
KEPT = frozenset({("tasks", "env")})
"""The columns that are documented to hold variables."""

AGENT = f"""\
{TOOLS}
tools = client(sys.argv[1])
sys.stdin.read()
found = [os.environ["SOME_API_KEY"], os.environ["CANARY_SECRET"], tools._token]
print(" ".join(found))
print(json.dumps({{"env": dict(os.environ)}}))
print(" ".join(found), file=sys.stderr)
try:
    tools.call("report_implementation_complete", summary=" ".join(found), exit_code="no number")
except CallFailed as error:
    print(error)
tools.call("report_implementation_complete", summary=" ".join(found))
"""


@pytest.mark.afresh  # it reads the command lines of all processes
def test_a_secret_stands_in_no_row_but_its_own_and_in_nothing_that_is_shown(home: Home) -> None:
    told = home.work / "told.txt"
    home.environ["CANARY_SECRET"] = OF_ENGINE
    path = program(home, "mycli", AGENT)
    mycli = {"type": "command", "argv": [path, "{mcp_config}"], "mcp": "json-file"}
    file = configure(
        home,
        providers={
            "mycli": {
                **mycli,
                "env": {"SOME_API_KEY": OF_PROVIDER},
                "pass_env": ["CANARY_SECRET"],
            }
        },
    )
    notify = {"command": ["sh", "-c", f"cat >> {told}"], "events": ["*"]}
    file.write_text(file.read_text() + json.dumps({"notify": notify})[1:-1] + "\n")
    show = 'printf "%s\\n" "$DEPLOY_TOKEN" "$DATABASE" "$SSH_KEY" "$DB_PASSWORD"'
    env = {"DEPLOY_TOKEN": OF_TASK, "DATABASE": f"postgres://me:{OF_URL}@db", "SSH_KEY": KEY}
    hold = f"{show}; touch here; until [ -e go ]; do sleep 0.05; done"
    file = home.pipeline(
        "secretive",
        [
            {"key": "hold", "run": hold, "env": {**env, "GREETING": PLAIN}},
            {"key": "ask", "prompt": "Answer.", "worker": "mycli"},
            {
                "key": "use",
                "run": 'test -n "$DB_PASSWORD"; echo "{{ tasks.hold.output }}"',
                "after": ["hold"],
            },
            {"key": "boom", "run": f"({show}) >&2; exit 3", "env": env, "after": ["use", "ask"]},
        ],
        env={"DB_PASSWORD": OF_PIPELINE},
    )
    run = home.popen("run", file)
    home.wait_for("the task", (home.work / "here").exists)

    with reading(home.database) as connection:
        assert connection is not None
        row = dict(dashboard.rows(connection, [home.only()])[home.only()])
        tab = str(read_inside(connection, Detail(home.only(), "log"), row))
    commands = _command_lines()
    (home.work / "go").touch()
    run.communicate(timeout=DEADLINE)
    home.wait_for("the notification", lambda: "workflow.failed" in _text(told))

    id = home.only()
    backup = home.database
    if not is_on():  # a server has its own tools for that
        backup = home.work / "backup.db"
        assert home.perles("maintenance", "backup", backup).returncode == 0
    seen = {
        "command lines": commands,
        "rows": _rows(home.database),
        "backup": _rows(backup),
        "notify": _text(told),
        "engine log": "".join(_text(path) for path in home.root.glob("*.log")),
        **{
            " ".join(words): home.perles(*words).stdout
            for words in (
                ("events", "--since", "0", "--json"),
                ("show", id, "--json"),
                ("show", id),
                ("logs", id, "--json"),
                ("logs", id),
                ("logs", id, "--stderr"),
                ("doctor", id),
                ("inbox", "--json"),
                ("list", "--json"),
                ("config", "show", "--json"),
                ("dashboard", "--once", "--show", id),
            )
        },
    }
    assert "***" in tab, "the task had printed nothing yet"
    assert [secret for secret in (OF_TASK, OF_PIPELINE, OF_URL) if secret in tab] == []
    assert "***" in seen["rows"], "nothing was printed that had to be masked"
    assert {where: _canaries(text) for where, text in seen.items() if _canaries(text)} == {}
    tokens = [path.read_text() for path in home.root.glob(f"sessions/**/{id}/*/token")]
    assert [token for token in tokens if token in seen["rows"]] == []
    assert len(tokens) >= 3
    assert home.json("show", id, "--json")["tasks"][0]["status"] == "done"


def test_words_of_everyday_are_not_taken_for_secrets(tmp_path: Path) -> None:
    found = texts_of(
        {
            "DESKTOP_SESSION": "ubuntu",
            "SSH_AUTH_SOCK": "/run/user/1000/agent",
            "GOOGLE_CREDENTIALS": str(tmp_path),
            "MAX_TOKENS": "200000",
            "API_KEY": "short",
            "LANG": "C.UTF-8",
            "AUTHOR": "somebody",
            "OTHER_KEY": "${REFERENCE}",
        }
    )

    assert found == set()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("API_KEY", "abcdef", "x abcdef y"),
        ("PASSWORD", 'quo"ted', '{"a": "quo\\"ted"}'),
        ("DATABASE", "postgres://me:hunter22@host/db", "the password is hunter22"),
        (
            "SIGNING_KEY",
            "first line of it, long\nsecond line of it, long",
            "second line of it, long",
        ),
    ],
)
def test_a_secret_is_masked_in_each_of_its_forms(name: str, value: str, text: str) -> None:
    secrets = longest_first(texts_of({name: value}))

    shown = masked({"a": [text, 7, None]}, secrets)

    assert "***" in shown["a"][0]
    assert shown["a"][1:] == [7, None]


def test_what_one_secret_begins_with_another_one_is_masked_whole() -> None:
    secrets = longest_first(texts_of({"A_TOKEN": "abcdef", "B_TOKEN": "abcdefghij"}))

    assert masked("abcdefghij abcdef", secrets) == "*** ***"


def _canaries(text: str) -> list[str]:
    """Where a canary stands, with what is around it."""
    places: list[str] = []
    at = text.find("canary-")
    while at >= 0 and len(places) < 5:
        places.append(text[max(0, at - 200) : at + 40])
        at = text.find("canary-", at + 1)
    return places


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended meanwhile
    return "\n".join(found)


def _rows(database: Path) -> str:
    """All that stands in the tables, but for the columns that are documented to hold variables."""
    said: list[str] = []
    with closing(dbapi.connect(database)) as connection:
        connection.row_factory = dbapi.Row
        for table in tables(connection):
            for row in connection.execute(f"SELECT * FROM {table}"):
                values: dict[str, Any] = dict(row)
                said += [f"{table}.{k}: {v}" for k, v in values.items() if (table, k) not in KEPT]
    return "\n".join(said)
