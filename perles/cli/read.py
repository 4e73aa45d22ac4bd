"""list, show and events as Typer knows them; `perles.cli.main` has their short way."""

import os
from typing import Annotated, Final

import typer

from perles.cli import events as events_command
from perles.cli import list as list_command
from perles.cli import show as show_command
from perles.cli.options import WorkflowId, options
from perles.config.home import Paths, home

Json = Annotated[bool, typer.Option("--json", help="Print JSON; docs/json.md describes it.")]


def _paths() -> Paths:
    return Paths(home(os.environ))


_LIST: Final = {
    "state": typer.Option(metavar="STATE,…", help="Only workflows in these states."),
    "label": typer.Option(metavar="K=V", help="Only workflows with this label; repeatable."),
    "template": typer.Option(help="Only workflows of this template."),
    "priority": typer.Option(help="Only workflows of this priority: low, normal or high."),
    "name": typer.Option(
        metavar="TEXT",
        help="Only workflows whose name contains TEXT or matches a glob such as 'nightly*'.",
    ),
    "filter": typer.Option(
        "--filter",
        metavar="QUERY",
        help="Only matches, such as 'state:running label:team=red agent:codex cost:>2 text'.",
    ),
    "sort": typer.Option(
        "--sort",
        metavar="ORDER",
        help="Sort by created, attention, name, state, priority, tokens, cost or started.",
    ),
    "since": typer.Option(
        metavar="TIME", help="Only workflows created since 2d ago, or 2026-01-31."
    ),
    "until": typer.Option(metavar="TIME", help="Only workflows created until this time."),
    "columns": typer.Option(
        metavar="NAME,…", help="Show these columns, such as id,name,state,cost,created,labels."
    ),
    "no_header": typer.Option("--no-header", help="Omit the header line."),
    "quiet": typer.Option("--quiet", "-q", help="Print only ids."),
    "limit": typer.Option(metavar="N", help="Show at most N workflows (default 100)."),
    "all": typer.Option("--all", help="Show all workflows, archived ones too."),
    "json": typer.Option("--json", help="Print JSON; docs/json.md describes it."),
    "watch": typer.Option("--watch", help="Refresh every second."),
    "plain": typer.Option("--plain", help="Plain text; with --watch, one line for each change."),
}


@options(list_command.ListOptions, _LIST)
def list_(asked: list_command.ListOptions) -> None:
    """List workflows, newest first."""
    list_command.run(asked, _paths())


def show(
    id: WorkflowId,
    json: Json = False,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Show the result: facts first, then the agents' words."),
    ] = False,
    env: Annotated[
        bool,
        typer.Option("--env", help="Show the folder and the variables of each task."),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all tasks, not only the 200 most important ones.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Refresh every second until it ends.")
    ] = False,
) -> None:
    """Show one workflow: its tasks, its agents, and the reason for its state."""
    options = show_command.ShowOptions(id=id, json=json, summary=summary, env=env, all=everything)
    if watch:
        show_command.watch(options, _paths())
    else:
        show_command.run(options, _paths())


def events(
    id: Annotated[str | None, typer.Argument(help="Only this workflow.")] = None,
    type: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB,…", help="Only events of these types; repeatable."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ|TIME", help="Only events after this number or time: 1h ago, 2026-01-31."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", help="Print at most N events (default: the last 1000)."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new events.")
    ] = False,
    json: Json = False,
) -> None:
    """Print events in order."""
    options = events_command.EventOptions(
        id=id, type=tuple(type or ()), since=since, limit=limit, follow=follow, json=json
    )
    events_command.run(options, _paths())
