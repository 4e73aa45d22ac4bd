"""What agents spend is counted while they spend it, however their turn ends."""

import signal
from typing import Any

import pytest

from perles.executor.local.processes import family
from tests.integration.billed_cli import CALL, billed, set_up
from tests.integration.cli import Home, signal_all
from tests.integration.scripted_cli import prompted

KINDS = ["claude", "codex"]
"""One that tells what a call uses on its output, and one that tells it in its file alone.
Gemini CLI does not run below a folder that others may write to, as that of a test is."""


def _begun(home: Home, kind: str, **more: Any) -> str:
    file = prompted(home, worker=kind, **more)
    created = home.json("create", file, "--json")
    return str(created["id"])


def _journalled(home: Home) -> int:
    return sum(
        event["payload"].get("tokens_in", 0) + event["payload"].get("tokens_out", 0)
        for event in home.events("--type", "agent.usage")
    )


def _used(home: Home, id: str) -> int:
    return int(home.json("show", id, "--json")["tokens_used"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_cuts_a_turn_in_its_middle(home: Home, kind: str) -> None:
    """60 calls under a budget of 12: as good as none is made beyond it."""
    bill = set_up(home, kind, calls=60, pause=0.25)
    file = prompted(home, worker=kind)

    done = home.perles("run", file, "--token-budget", str(12 * CALL))

    assert done.returncode == 1
    shown = home.json("show", home.only(), "--json")
    assert "token budget exhausted" in shown["reason"]
    assert 12 * CALL <= shown["tokens_used"] <= billed(bill) < 60 * CALL / 2
    assert billed(bill) - shown["tokens_used"] <= CALL


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_pause_in_mid_turn_the_journal_has_the_bill(home: Home, kind: str) -> None:
    bill = set_up(home, kind, calls=5)
    id = _begun(home, kind)
    engine = home.popen("serve")
    home.perles("start", id)
    home.wait_for("the calls", lambda: billed(bill) == 5 * CALL)

    assert home.perles("pause", id).returncode == 0
    assert _used(home, id) == _journalled(home) == 5 * CALL

    assert home.perles("resume", id).returncode == 0
    home.wait_for("more calls, in the same session", lambda: billed(bill) == 10 * CALL)
    home.wait_for("their count", lambda: _used(home, id) == 10 * CALL)
    home.perles("stop", id, "--force")
    assert _used(home, id) == _journalled(home) == 10 * CALL
    engine.send_signal(signal.SIGTERM)
    engine.communicate()


@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_that_dies_while_no_engine_runs_is_billed_by_the_next(home: Home, kind: str) -> None:
    bill = set_up(home, kind, calls=5, pause=0.1)
    id = _begun(home, kind)
    engine = home.popen("serve")
    home.perles("start", id)
    home.wait_for("a call", lambda: billed(bill) >= CALL)
    engine.kill()
    engine.communicate()
    home.wait_for("the calls", lambda: billed(bill) == 5 * CALL)
    signal_all(family([f"PERLES_WORKFLOW={id}"]), signal.SIGKILL)

    engine = home.popen("serve")
    home.wait_for("the outcome", lambda: home.events("--type", "turn.*"))
    home.wait_for("the count", lambda: _used(home, id) >= 5 * CALL)
    home.perles("stop", id, "--force")
    assert _used(home, id) == _journalled(home) == billed(bill)
    engine.send_signal(signal.SIGTERM)
    engine.communicate()


def test_money_of_a_turn_that_was_cut_off_is_the_price_of_its_tokens(home: Home) -> None:
    bill = set_up(home, "claude", calls=5)
    id = _begun(home, "claude")
    engine = home.popen("serve")
    home.perles("start", id)
    home.wait_for("the calls", lambda: billed(bill) == 5 * CALL)
    home.perles("pause", id)

    cost = home.json("show", id, "--json")["cost_usd"]

    assert cost == pytest.approx(5 * (1000 * 2 + 20 * 10) / 1e6, abs=0.0001)
    home.perles("stop", id, "--force")
    engine.send_signal(signal.SIGTERM)
    engine.communicate()
