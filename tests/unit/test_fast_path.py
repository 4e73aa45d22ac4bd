"""The short way and Typer's way understand the same command lines."""

from typing import Any

import pytest

from perles.cli import events, show
from perles.cli import list as listing
from perles.cli.app import run_app
from perles.cli.main import parse

LINES = [
    "list",
    "list --all --json",
    "list --state running,paused --label a=b --label c=d --limit 3",
    "list --state=running --name x --template t --priority low",
    "show wf-abc",
    "show wf-abc --json",
    "show --json wf-abc",
    "events",
    "events wf-abc --type task.* --type=workflow.* --since 3 --limit 4",
    "events --follow --json",
    "events --since 1h",
    "list --filter state:running --sort name --since 1h --until 2026-01-31 --columns id,name",
    "list --quiet --no-header",
]
NOT_SHORT = [
    "",
    "run x",
    "list --bogus",
    "list extra",
    "list --limit x",
    "list --limit -1",
    "list --state",
    "list --json=1",
    "list --help",
    "list --watch",
    "show",
    "show a b",
    "events -f",
    "events --since",
    "list -q",
    "--version",
]


@pytest.mark.parametrize("line", LINES)
def test_both_ways_read_a_line_alike(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    for module in (listing, show, events):
        monkeypatch.setattr(module, "run", lambda options, _paths: seen.append(options))

    short = parse(line.split())
    run_app(line.split())

    assert short is not None
    kind = {"list": listing.ListOptions, "show": show.ShowOptions, "events": events.EventOptions}
    assert seen == [kind[line.split()[0]](**short)]


@pytest.mark.parametrize("line", NOT_SHORT)
def test_what_is_not_plain_goes_the_ordinary_way(line: str) -> None:
    assert parse(line.split()) is None
