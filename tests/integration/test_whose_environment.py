"""Tasks have the environment and umask of whoever created their workflow, engine or not."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from perles.workspace.creator_environment import capture, environment_of, is_stored
from tests.integration.cli import Home
from tests.postgres.homes import kept_in

pytestmark = pytest.mark.afresh

SAYS = 'umask; echo "[$WHO] [$VIRTUAL_ENV] [$LC_TIME]"; mytool; echo "[$ENGINE_ONLY] [$MY_TOKEN]"'
PERLES = f"{sys.executable} -m perles"


def _tool(folder: Path) -> str:
    """A folder with a program in it, before the rest of PATH."""
    folder.mkdir(exist_ok=True)
    (folder / "mytool").write_text("#!/bin/sh\necho found\n")
    (folder / "mytool").chmod(0o700)
    return f"{folder}:{os.environ['PATH']}"


def _said(home: Home, path: Path, **environ: str) -> list[str]:
    """What a task says, for somebody with umask 027 and these variables."""
    mine = {**home.environ, **environ}
    before = home.environ
    home.environ = mine
    done = home.run(["sh", "-c", f"umask 027; {PERLES} run {path}"])
    home.environ = before
    assert done.returncode == 0, done.stdout + done.stderr
    id = home.json("list", "--json", "--all")[0]["id"]
    logs = home.perles("logs", id, "--agent", "worker-1", "--raw").stdout
    return [line.strip() for line in logs.splitlines() if line.strip()]


def test_the_same_command_does_the_same_whether_an_engine_ran_before(home: Home) -> None:
    path = home.pipeline("p", [{"key": "a", "run": SAYS}])
    mine = {
        "WHO": "second",
        "VIRTUAL_ENV": "/venv/b",
        "LC_TIME": "C.UTF-8",
        "PATH": _tool(home.work / "bin"),
    }
    alone = _said(home, path, **mine)
    home.wait_for_no_engine()
    engines: Any = {"WHO": "engine", "VIRTUAL_ENV": "/venv/a", "ENGINE_ONLY": "x"}
    assert home.perles("serve", "--detach", **engines).returncode == 0
    assert _said(home, path, **mine) == alone
    assert alone == ["0027", "[second] [/venv/b] [C.UTF-8]", "found", "[] []"]


def test_secrets_are_never_stored_and_come_from_the_engine(home: Home) -> None:
    path = home.pipeline("p", [{"key": "a", "run": 'echo "[$MY_TOKEN] [$DATABASE_URL]"'}])
    assert home.perles("serve", "--detach", MY_TOKEN="engines-token").returncode == 0
    secrets = {"MY_TOKEN": "creators-token", "DATABASE_URL": "postgres://me:creators-word@db/x"}
    assert _said(home, path, **secrets) == ["[engines-token] []"]
    kept = kept_in(home.root)
    assert b"creators-" not in kept
    assert b"WHO" in kept or b"PATH" in kept


def test_the_configuration_names_what_is_captured(home: Home) -> None:
    config = home.work / "own.yaml"
    config.write_text("orchestration: {env_capture: [PATH, 'MINE_*']}\n")
    path = home.pipeline("p", [{"key": "a", "run": 'echo "[$MINE_A] [$OTHER]"'}])
    given = {"MINE_A": "a", "OTHER": "b", "PERLES_CONFIG": str(config)}
    assert _said(home, path, **given) == ["[a] []"]


def test_a_task_that_calls_perles_reaches_the_home_it_belongs_to(home: Home) -> None:
    run = f"{PERLES} list --json; echo config=$PERLES_CONFIG; env | grep -c PERLES_MCP_TOKEN"
    path = home.pipeline("p", [{"key": "a", "run": f"{run} || true"}])
    config = home.work / "own.yaml"
    config.write_text("theme: {preset: light}\n")
    lines = _said(home, path, PERLES_CONFIG="own.yaml")
    assert home.only() in "".join(lines)
    assert lines[-2:] == [f"config={config}", "0"]


def test_a_retry_has_the_environment_of_the_first(home: Home) -> None:
    path = home.pipeline("p", [{"key": "a", "run": "echo [$WHO]; exit 1"}])
    assert home.perles("run", path, WHO="first").returncode == 1
    (row,) = home.json("list", "--json")
    again = home.perles("retry", row["id"], WHO="second").stdout.split()[-1]
    home.perles("run", again, WHO="third")
    assert "[first]" in home.perles("logs", again, "--agent", "worker-1").stdout


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        *((name, "x", True) for name in ("PATH", "GIT_AUTHOR_NAME", "MONKEY", "AWS_PROFILE")),
        *((name, "x", False) for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PGPASSWORD")),
        *((name, "x", False) for name in ("OPENAI_API_KEY", "npm_config_auth", "SSH_AUTH_SOCK")),
        *((name, "x", False) for name in ("PERLES_MCP_TOKEN", "PWD", "GITLAB_PAT", "SENTRY_DSN")),
        ("URL", "https://me:word@host/", False),
        ("URL", "https://host/a:b@c", True),
        ("CERT", "-----BEGIN PRIVATE KEY-----", False),
        ("LARGE", "x" * 40_000, False),
        ("BYTES", "\udcff", False),
    ],
)
def test_what_may_be_stored(name: str, value: str, stored: bool) -> None:
    assert is_stored(name, value) == stored


def test_without_anything_captured_the_engines_environment_counts() -> None:
    engine = {"A": "b", "PERLES_CONFIG": "/c.yaml", "PERLES_MCP_TOKEN": "t", "MY_KEY": "k"}
    expected = {"A": "b", "MY_KEY": "k", "PERLES_CONFIG": "/c.yaml", "PERLES_HOME": "/h"}
    assert environment_of({}, engine, Path("/h")) == expected
    engine["PERLES_DATABASE"] = "postgresql://me:word@host/perles"
    other = {"PERLES_HOME": "/other", "PERLES_DATABASE": "postgresql://you@there/x"}
    captured: dict[str, Any] = capture({"B": "c", **other}, ["*"])
    found = environment_of(captured, engine, Path("/h"))
    ours = {"PERLES_HOME": "/h", "PERLES_DATABASE": engine["PERLES_DATABASE"]}
    assert found == {"B": "c", "MY_KEY": "k", **ours}
