"""The command line as Typer sees it: one file a command, imported when it is called."""

import os
from collections import UserDict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.models import TyperInfo

from perles.cli import one_command
from perles.cli.examples import epilog
from perles.cli.root import ABOUT, ENTRIES, Entry, root_help
from perles.domain.errors import UsageError
from perles.version import __version__


class _Commands(UserDict[str, Any]):
    """The commands by name; one is made when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        found = self.data[name]
        if isinstance(found, Entry):
            found = self.data[name] = _made(found)
        return found


class _Root(TyperGroup):
    """`perles` itself."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands(ENTRIES)

    def format_help(self, _context: Any, formatter: Any) -> None:
        """Write the help that needs no command."""
        formatter.write(root_help())


def _made(entry: Entry) -> Any:
    found = getattr(import_module(f"perles.cli.{entry.module}"), entry.attribute)
    style: dict[str, Any] = {"rich_markup_mode": app.rich_markup_mode}
    style["pretty_exceptions_short"] = app.pretty_exceptions_short
    if isinstance(found, typer.Typer):
        info = TyperInfo(found, name=entry.name)
        suggest = found.suggest_commands
        group = typer.main.get_group_from_info(info, suggest_commands=suggest, **style)
        return _dressed(group, entry.name)
    single = typer.Typer()
    single.command(entry.name)(found)
    made = typer.main.get_command_from_info(single.registered_commands[0], **style)
    return _dressed(made, entry.name)


def _dressed(command: Any, path: str) -> Any:
    """The command with placeholders in one style, and with an example and exit codes in its help.

    A value is NAME, a number N, several are ID….
    """
    if not getattr(command, "commands", None) or command.invoke_without_command:
        has_id = any(parameter.name in ("id", "ids") for parameter in command.params)
        command.epilog = epilog(path, has_id=has_id)
    for parameter in command.params:
        if parameter.metavar is None and not getattr(parameter, "is_flag", False):
            is_number = parameter.type.name in ("integer", "int", "float")
            word = "N" if is_number else (parameter.name or "").upper().replace("_", "-")
            is_option = parameter.param_type_name == "option"
            several = "…" if parameter.nargs == -1 else ""
            bare = is_option or parameter.required
            parameter.metavar = f"{word}{several}" if bare else f"[{word}{several}]"
        if parameter.nargs == -1 and "…" not in parameter.metavar:
            word = parameter.metavar.strip("[]")
            parameter.metavar = f"{word}…" if parameter.required else f"[{word}…]"
    for name, child in getattr(command, "commands", {}).items():
        _dressed(child, f"{path} {name}")
    return command


app = typer.Typer(
    name="perles",
    cls=_Root,
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
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
        typer.Option("--config", metavar="FILE", help="Use only this configuration file."),
    ] = None,
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if config_file is not None:
        os.environ["PERLES_CONFIG"] = os.path.abspath(config_file)


def run_app(argv: list[str]) -> int:
    """Run the command line; its exit code. Errors of ours pass through."""
    argv = one_command.rewritten(argv)
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
