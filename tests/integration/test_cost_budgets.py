"""A budget in USD is kept, or refused in words: nobody may rely on one that sees no cost."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from perles.agents.pricing import blind_spot
from perles.agents.provider import find
from perles.config.model import Price
from perles.config.provider_settings import ProviderSettings
from perles.store.reads import dashboard
from perles.store.reads.connection import reading
from tests.integration.billed_cli import CALL, billed, set_up
from tests.integration.cli import Home
from tests.integration.scripted_cli import cli, prompted

PRICE = {"input": 1000, "output": 1000}
"""USD per million tokens: a call costs 1.02."""


def _policy(home: Home, **policy: Any) -> None:
    """More of the configuration, beside what is there."""
    found = yaml.safe_load(home.config_file.read_text())
    found["orchestration"]["control_plane"] = {"resource_policy": policy}
    home.config_file.write_text(yaml.safe_dump(found))


def test_a_cost_budget_is_refused_where_the_cost_would_be_unknown(home: Home) -> None:
    set_up(home, "codex", calls=1)
    file = prompted(home, worker="codex:gpt-x")

    for verb in ("create", "run"):
        refused = home.perles(verb, file, "--cost-budget", "5")
        assert refused.returncode == 2
        assert "cannot keep a cost budget: codex:gpt-x reports no cost" in refused.stderr
        assert "prices: {gpt-x: {input: USD, output: USD}}" in refused.stderr
    assert home.json("list", "--all", "--json") == []
    assert home.perles("create", file, "--token-budget", "5").returncode == 0

    _policy(home, cost_budget=5)
    assert "cannot keep a cost budget" in home.perles("create", file).stderr


@pytest.mark.parametrize(
    ("worker", "configured", "name"),
    [
        ("codex:gpt-x", None, "gpt-x"),
        ("codex", "gpt-y", "gpt-y"),
        ("codex", None, "codex"),
        ("codex:gpt-x", None, "codex"),
    ],
)
def test_a_price_of_the_model_or_of_the_provider_keeps_a_cost_budget(
    home: Home, worker: str, configured: str | None, name: str
) -> None:
    bill = set_up(home, "codex", calls=60, pause=0.25)
    if configured is not None:
        found = yaml.safe_load(home.config_file.read_text())
        found["orchestration"]["codex"]["model"] = configured
        home.config_file.write_text(yaml.safe_dump(found))
    _policy(home, prices={name: PRICE})

    done = home.perles("run", prompted(home, worker=worker), "--cost-budget", "3")

    assert done.returncode == 1
    shown = home.json("show", home.only(), "--json")
    assert shown["reason"] == "cost budget exhausted"
    assert shown["cost_usd"] == pytest.approx(shown["tokens_used"] / 1000)
    assert 3 * CALL - 60 <= billed(bill) < 60 * CALL / 2


def _waiting_prompt(home: Home) -> Path:
    """A pipeline whose prompt for `mycli` waits until the file `go` is there."""
    return home.pipeline(
        "p",
        [
            {"key": "first", "run": "until test -e go; do sleep 0.05; done"},
            {"key": "ask", "prompt": "Answer.", "worker": "mycli", "after": ["first"]},
        ],
    )


def test_a_cost_budget_that_comes_later_is_refused_as_at_creation(home: Home) -> None:
    cli(home, "import sys; sys.stdin.read(); print('done')")
    home.perles("run", "-d", _waiting_prompt(home))
    id = home.only()

    refused = home.perles("set", id, "--cost-budget", "5", "--priority", "high")

    assert refused.returncode == 2
    assert "cannot keep a cost budget: mycli reports no cost" in refused.stderr
    shown = home.json("show", id, "--json")
    assert (shown["state"], shown["cost_budget"], shown["priority"]) == ("running", 0, "normal")
    assert home.perles("set", id, "--token-budget", "5000").returncode == 0
    (home.work / "go").touch()
    assert home.perles("wait", id).returncode == 0


def test_a_cost_budget_may_come_once_nobody_is_left_whose_cost_is_unknown(home: Home) -> None:
    cli(home, "import sys; sys.stdin.read(); print('done')")
    last = {"key": "last", "run": "until test -e go; do sleep 0.05; done", "after": ["ask"]}
    file = home.pipeline("p", [{"key": "ask", "prompt": "Answer.", "worker": "mycli"}, last])
    home.perles("run", "-d", file)
    id = home.only()
    home.wait_for(
        "the last task",
        lambda: home.json("tasks", id, "--json")[-1]["status"] == "in_progress",
    )

    done = home.perles("set", id, "--cost-budget", "5")

    assert done.returncode == 0, done.stderr
    (home.work / "go").touch()
    assert home.perles("wait", id).returncode == 0


def test_a_cost_budget_of_all_that_comes_later_pauses_what_it_cannot_see(home: Home) -> None:
    """The turns that run by then end as they would; another one does not begin."""
    cli(home, "import sys; sys.stdin.read(); open('asked', 'w').close(); print('done')")
    home.perles("run", "-d", _waiting_prompt(home))
    id = home.only()
    _policy(home, cost_budget=5)
    assert home.perles("config", "reload").returncode == 0
    (home.work / "go").touch()

    home.wait_for("the pause", lambda: home.json("show", id, "--json")["state"] == "paused")

    reason = home.json("show", id, "--json")["reason"]
    assert reason.startswith("the cost budget cannot be kept: mycli reports no cost")
    assert not (home.work / "asked").exists()
    _policy(home, cost_budget=0)
    assert home.perles("config", "reload").returncode == 0
    assert home.perles("run", id).returncode == 0


def test_a_cli_that_could_tell_its_cost_and_does_not_gets_no_second_turn(home: Home) -> None:
    told = "print(json.dumps({'out': 500}))"
    cli(
        home,
        f"import json, sys; sys.stdin.read(); {told}; sys.exit(1)",
        output="jsonl",
        paths={"tokens_out": "out", "cost": "usd"},
    )
    file = prompted(home, retries=3)

    home.perles("run", "-d", file, "--cost-budget", "5")

    id = home.only()
    home.wait_for("the pause", lambda: home.json("show", id, "--json")["state"] == "paused")
    shown = home.json("show", id, "--json")
    assert "the cost budget cannot be kept: mycli reports no cost" in shown["reason"]
    assert shown["tokens_used"] == 500
    assert "500, cost unknown (budget 5.00 USD)" in home.perles("show", id).stdout
    assert re.search(rf"{id} +\?", home.perles("list", "--columns", "id,cost").stdout)
    assert "500 tokens, cost unknown" in home.perles("show", id, "--summary").stdout
    (worker,) = (
        line for line in home.perles("agents", id).stdout.splitlines() if "worker-1" in line
    )
    assert re.search(r"\b500 +\?", worker)
    with reading(home.database) as connection:
        assert connection is not None
        assert dashboard.totals(connection, "2000-01-01").unpriced_today == 500


def test_a_cli_that_was_cut_off_before_it_told_its_cost_gets_another_turn(home: Home) -> None:
    """It tells the cost as the last thing it does, which it could not do."""
    cli(
        home,
        """import json, os, sys, time
sys.stdin.read()
print(json.dumps({'out': 500}), flush=True)
if not os.path.exists('begun'):
    open('begun', 'w').close()
    time.sleep(600)
print(json.dumps({'out': 500, 'usd': 0.25, 'text': 'done'}))
""",
        output="jsonl",
        paths={"tokens_out": "out", "cost": "usd", "text": "text"},
    )
    home.perles("run", "-d", prompted(home), "--cost-budget", "5")
    id = home.only()
    home.wait_for(
        "its tokens", lambda: home.json("show", id, "--json")["tokens_used"] == 500 and id
    )
    assert home.perles("pause", id).returncode == 0

    assert home.perles("run", id).returncode == 0

    shown = home.json("show", id, "--json")
    assert (shown["state"], shown["cost_usd"]) == ("completed", 0.25)


OF_COMMAND: Mapping[str, Any] = {"type": "command", "argv": ("/bin/true",)}


@pytest.mark.parametrize(
    ("name", "settings", "is_blind"),
    [
        ("builtin", {}, False),
        ("claude", {}, False),
        ("opencode", {}, False),
        ("codex", {}, True),
        ("gemini", {}, True),
        ("amp", {}, True),
        ("mine", OF_COMMAND, True),
        ("mine", {**OF_COMMAND, "paths": {"cost": "usd"}}, False),
        ("mine", {**OF_COMMAND, "ai_call": False}, False),
    ],
)
def test_which_clis_report_their_cost(
    name: str, settings: Mapping[str, Any], is_blind: bool
) -> None:
    provider = find(name, ProviderSettings(name, **settings))

    assert (blind_spot(provider, "m", {}) is not None) == is_blind
    for key in ("m", name):
        assert blind_spot(provider, "m", {key: Price(0, 0)}, told_none=True) is None
