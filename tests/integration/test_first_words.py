"""The first things that a person reads: who does a goal, what goes on, how to go on."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from perles.agents.discovery import default_client
from perles.cli.create import is_command
from perles.cli.run_view import RunView
from perles.config.home import Paths
from perles.config.model import Config
from perles.config.provider_settings import Providers
from perles.config.providers import CLIS
from perles.config.rendering import WHO
from perles.doctor.machine import Surroundings, service
from perles.store.reads.agents import staff
from tests.integration.cli import Home
from tests.integration.crew import Crew

ID = "wf-bbbbbbbb"


def _program(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\necho 1.0\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("here", "chosen"),
    [(["codex"], "codex"), (["gemini", "claude"], "claude"), (["opencode"], "opencode")],
)
def test_a_goal_is_for_the_cli_that_is_here(tmp_path: Path, here: list[str], chosen: str) -> None:
    for name in here:
        _program(tmp_path / "bin", name)
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}

    assert default_client(Providers(), "coordinator", environ) == chosen
    assert default_client(Providers(client="amp"), "worker", environ) == "amp"
    assert default_client(Providers(), "worker", {"PATH": "", "HOME": "/nowhere"}) in CLIS


@pytest.mark.parametrize("text", ["make test", "sh -c 'exit 1'", "cat a | sort", "env"])
def test_a_command_is_not_taken_for_a_goal(text: str) -> None:
    assert is_command(text)


@pytest.mark.parametrize(
    "text",
    [
        *("make the tests of this folder faster", "Make it so", "make test pass."),
        *("sort out imports", "improve docs", "find why tests fail"),
        "make tests quick and stable for everybody here",
    ],
)
def test_a_sentence_is_a_goal(text: str) -> None:
    assert not is_command(text)


def test_run_of_a_command_says_how_to_run_one_and_starts_nobody(home: Home) -> None:
    done = home.perles("run", "make test")

    assert done.returncode == 2
    told = re.search(r"printf .*?; perles run x\.yaml", done.stderr)
    assert told
    assert home.json("list", "--json") == []

    (home.work / "Makefile").write_text("test:\n\techo made\n")
    home.run(["sh", "-c", told[0].partition(";")[0]])
    assert home.perles("run", "x.yaml").returncode == 0


def test_a_failed_run_names_the_way_on_and_that_way_works(home: Home) -> None:
    done = home.perles("run", home.pipeline("p", [{"key": "a", "run": "test -e there"}]))

    (way,) = re.findall(r"go on where it ended: perles (.*)", done.stdout)
    (home.work / "there").touch()
    home.wait_for_no_engine()
    assert home.perles(*way.split()).returncode == 0
    home.wait_for(
        "the end of the second try",
        lambda: (
            sorted(row["state"] for row in home.json("list", "--all", "--json"))
            == ["completed", "failed"]
        ),
    )


def test_only_agents_that_can_be_used_are_told_of(crew: Crew) -> None:
    crew.workflow(ID, provider="builtin", worker_provider="claude")
    crew.task(ID, "a", "pending", worker="qwen:x")
    crew.task(ID, "b", "pending", run="true")
    crew.task(ID, "c", "pending", assignee="human")
    with crew.reading() as connection:
        assert staff(connection, ID) == {"builtin", "qwen"}

    crew.task(ID, "d", "pending")
    with crew.reading() as connection:
        assert staff(connection, ID) == {"builtin", "qwen", "claude"}


def test_the_live_view_says_what_goes_on_before_there_is_a_task(crew: Crew) -> None:
    shown = {
        **{"name": "g", "id": ID, "state": "running", "reason": None, "tasks": []},
        **{"waits_for": ["coordinator: its turn, 14s"], "tokens_used": 1234, "cost_usd": 0.05},
        **{"started_at": crew.at(seconds=14), "ended_at": None},
        "attention": "waiting for you since 10:14: worker-1 asks: tabs?",
    }
    console = Console(width=80)
    with console.capture() as capture:
        console.print(RunView(shown, "Ctrl-C pauses"))
    text = capture.get()

    assert "the coordinator plans, 14s" in text
    assert "0/0" not in text
    assert "? waiting for you since 10:14: worker-1 asks: tabs? (perles inbox)" in text
    assert "1,234 tokens, 0.05 USD" in text


def test_a_run_says_where_the_review_of_a_task_stands() -> None:
    task: dict[str, Any] = {
        "key": "a",
        "name": "A",
        "after": [],
        "assignee": "worker-1",
        "attempt": 2,
    }
    task |= {"status": "in_review", "started_at": None, "ended_at": None, "failure": None}
    shown: dict[str, Any] = {
        "id": ID,
        "name": "n",
        "state": "running",
        "reason": None,
        "attention": None,
    }
    shown |= {"started_at": None, "ended_at": None, "tokens_used": 0, "cost_usd": 0.0}
    console = Console(width=80)
    with console.capture() as capture:
        console.print(RunView({**shown, "tasks": [task]}))

    assert "in review worker-1 attempt 2" in capture.get()


def test_config_init_has_every_key_and_changes_nothing(home: Home) -> None:
    home.perles("config", "init", "--user")

    path = home.config_file
    text = path.read_text()
    keys = {row["key"] for row in home.json("config", "show", "--json")}
    assert {f"orchestration.{name}" for name in WHO} <= keys
    assert all(
        row["origin"].startswith(("default", "environment"))
        for row in home.json("config", "show", "--json")
    )
    for key in keys:
        assert re.search(rf"^ *# {key.rpartition('.')[2]}: ", text, re.MULTILINE), key

    # Each line may be uncommented alone, and then holds.
    bare = re.sub(r"^( *)# (\w+: )", r"\1\2", text, flags=re.MULTILINE)
    path.write_text(bare.replace("  worker_client: codex", "  worker_client: mycli"))
    assert yaml.safe_load(bare)
    assert home.perles("config", "check").returncode == 0
    shown = {row["key"]: row["value"] for row in home.json("config", "show", "--json")}
    assert shown["orchestration.worker_client"] == "mycli"


def test_config_show_keeps_secrets(home: Home) -> None:
    env = "{A: sekrit, B: '${HOME}'}"
    home.config_file.write_text(f"orchestration: {{claude: {{env: {env}}}}}\n")

    shown = home.perles("config", "show", "--origin").stdout

    assert "sekrit" not in shown
    assert "${HOME}" in shown
    assert "config.yaml:1" in shown


def test_doctor_tells_what_a_service_would_not_find(tmp_path: Path) -> None:
    _program(tmp_path / "npm", "claude")
    units = tmp_path / ".config" / "systemd" / "user"
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/npm:/usr/bin"}
    around = Surroundings(Paths(tmp_path), {**environ, "ANTHROPIC_API_KEY": "x"}, Config())
    assert list(service.check(around)) == []
    units.mkdir(parents=True)
    shipped = (Path(__file__).parents[2] / "contrib" / "perles.service").read_text()
    (units / "perles.service").write_text(shipped)

    cli, key = service.check(around)
    assert cli.text == "the service would not find claude"
    assert f"{tmp_path}/npm" in cli.advice
    assert "ANTHROPIC_API_KEY" in key.text

    (units / "perles.service").write_text(shipped.replace("PATH=%h", "PATH=%h/npm:%h", 1))
    keys = tmp_path / ".config" / "perles"
    keys.mkdir()
    (keys / "environment").write_text("# keys\nANTHROPIC_API_KEY=x\n")
    assert [found.level for found in service.check(around)] == ["ok"]


def test_the_path_of_a_database_that_is_not_there_is_told(fresh_home: Home) -> None:
    home = fresh_home
    told = home.perles("db", "path")
    assert told.stdout == f"{home.database}\n"
    assert "perles db upgrade creates it" in told.stderr

    home.root.mkdir()
    home.database.touch()  # as sqlite3 does, which opens it
    assert "perles db upgrade creates it" in home.perles("db", "path").stderr
    assert home.perles("list").returncode == 0
    assert home.perles("db", "upgrade").returncode == 0
    assert home.perles("db", "path").stderr == ""


def test_what_did_not_come_is_told_with_a_unit(home: Home) -> None:
    id = home.perles("create", "--name", "p", "--", "true").stdout.strip()

    ended = home.perles("wait", id, "--timeout", "0.01")
    assert (ended.returncode, ended.stdout) == (124, f"{id} p: pending\n")
    assert "not all ended within 10ms" in ended.stderr
    reached = home.perles("wait", id, "--timeout", "0.01", "--for", "running,paused")
    assert "not all reached running,paused within 10ms" in reached.stderr
    refused = home.perles("rm", id)
    assert (refused.returncode, f"perles stop {id}" in refused.stderr) == (4, True)
