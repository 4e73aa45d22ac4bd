"""The command line as Typer sees it: one file a command; nothing heavy is imported here."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from perles.cli import (
    agent,
    agents,
    config,
    create,
    dashboard,
    database,
    doctor,
    engine,
    inbox,
    lifecycle,
    logs,
    providers,
    read,
    resources_app,
    run,
    send,
    serve,
    tasks,
    templates,
    trust,
    upkeep,
)
from perles.cli import set as set_
from perles.domain.errors import UsageError
from perles.version import __version__

app = typer.Typer(
    name="perles",
    help="Run many workflows of AI coding agents, or of plain commands, on one machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"perles {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Configuration file to use alone."),
    ] = None,
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    if config_file is not None:
        os.environ["PERLES_CONFIG"] = os.path.abspath(config_file)


app.command("run")(run.command)
app.command("create")(create.command)
app.command("start")(lifecycle.start)
app.command("pause")(lifecycle.pause)
app.command("resume")(lifecycle.resume)
app.command("stop")(lifecycle.stop)
app.command("fail")(lifecycle.fail)
app.command("retry")(lifecycle.retry)
app.command("archive")(lifecycle.archive)
app.command("set")(set_.command)
app.command("tasks")(tasks.tasks)
app.command("approve")(tasks.approve)
app.command("deny")(tasks.deny)
app.add_typer(inbox.app, name="inbox")
app.command("list")(read.list_)
app.command("agents")(agents.command)
app.add_typer(agent.app, name="agent")
app.command("send")(send.command)
app.command("show")(read.show)
app.command("events")(read.events)
app.command("logs")(logs.command)
app.command("dashboard")(dashboard.command)
app.command("doctor")(doctor.command)
app.command("serve")(serve.command)
app.command("trust")(trust.command)
app.add_typer(resources_app.app, name="resources")
app.add_typer(engine.app, name="engine")
app.add_typer(providers.app, name="providers")
app.add_typer(templates.app, name="templates")
app.add_typer(config.app, name="config")
app.add_typer(upkeep.app, name="maintenance")
app.add_typer(database.app, name="db")


def run_app(argv: list[str]) -> int:
    """Run the command line; its exit code. Errors of ours pass through."""
    command: Any = typer.main.get_command(app)
    try:
        result = command.main(args=argv, prog_name="perles", standalone_mode=False)
    except typer.Abort:
        return 130
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from None  # the parser's library makes a failure of it
        raise
    except Exception as error:
        # The errors of the command line's parser, whichever library they are from.
        code = getattr(error, "exit_code", None)
        message = getattr(error, "format_message", None)
        if code is None or message is None:
            raise
        if not message():
            return int(code)  # a group without a command: its help was printed
        context = getattr(error, "ctx", None)
        where = "perles" if context is None else context.command_path
        text = message().strip().rstrip(".")
        raise UsageError(f"{text[:1].lower()}{text[1:]}; look at {where} --help") from error
    return result if isinstance(result, int) else 0
