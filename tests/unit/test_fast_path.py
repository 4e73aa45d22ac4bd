"""The short way and Typer's way understand the same command lines."""

from typing import Any

import pytest
import typer

from perles.cli import create, events, run, show
from perles.cli import list as listing
from perles.cli.app import app, run_app
from perles.cli.quick_options import parse

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
MAKING = [
    "{} a.yaml",
    "{} a.yaml --json one two",
    "{} one --name=n --arg a=1 --arg=b=2 --label c=d --priority high --workers 3",
    "{} a.yaml --work-dir /tmp --token-budget 10 --cost-budget 1.5 --coordinator claude:opus",
    "{} a.yaml --cost-budget 2 --worker codex --worktree --base main --branch b",
    "{} a.yaml --no-worktree --from x --from y --skip z --on gpu --on big",
    "{} --worktree --no-worktree a.yaml",
    "{} a.yaml --name x --name y",
    "{}",
    "{} --name n -- make test --name m",
    "{} a.yaml -- make",
    "{} a.yaml * m[1]",
]
RUNNING = ["run a.yaml --detach", "run -d --dry-run a.yaml", "run wf-abc", "run -d -- true"]
NOT_SHORT = [
    "",
    "create --bogus",
    "create --help",
    "create -",
    "create a.yaml --workers -1",
    "create a.yaml --workers x",
    "create a.yaml --cost-budget 1e3",
    "create a.yaml --cost-budget .",
    "create a.yaml --detach",
    "create a.yaml --name",
    "run a.yaml --json=1",
    "run -dx a.yaml",
    "start x",
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


@pytest.mark.parametrize(
    "line", [line.format(verb) for line in MAKING for verb in ("create", "run")] + RUNNING
)
def test_both_ways_read_what_to_create_alike(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    for module in (create, run):
        monkeypatch.setattr(module, "run", seen.append)
    kinds: dict[str, Any] = {"create": create.CreateOptions, "run": run.RunOptions}

    short = parse(line.split())
    run_app(line.split())

    assert short is not None
    assert seen == [kinds[line.split()[0]].of(**short)]


def test_each_flag_of_typers_is_known_to_the_short_way() -> None:
    """Whatever both call an option, and whether it has a value, is the same."""
    kinds: dict[str, Any] = {"create": create.CreateOptions, "run": run.RunOptions}
    for verb, kind in kinds.items():
        command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
        for option in command.params:
            if option.param_type_name != "option":
                continue
            for flag in (*option.opts, *option.secondary_opts):
                value = [] if option.is_flag else ["1"]
                short = parse([verb, "a.yaml", flag, *value])
                assert short is not None, (verb, flag)
                kind.of(**{**short, "arg": (), "label": ()})
