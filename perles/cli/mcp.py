"""`perles mcp`: Perles as an MCP server, for an agent of the user's own."""

import os
from typing import Annotated

import typer

from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane as Facade
from perles.domain.errors import UsageError
from perles.domain.tokens import OPERATE, ROLES

app = typer.Typer(help="Run an MCP server for your own agent, or install it in an agent's CLI.")
Role = Annotated[
    str,
    typer.Option(
        metavar="ROLE", help="read; operate, which also creates, sends and approves; or admin."
    ),
]


@app.callback(invoke_without_command=True)
def serve(context: typer.Context, role: Role = OPERATE) -> None:
    """Run an MCP server for your own agent, or install it in an agent's CLI.

    claude, codex, gemini and opencode start it themselves, once `perles mcp install` has told
    them.
    """
    if context.invoked_subcommand is not None:
        return
    _check(role)
    from perles.aio import ControlPlane
    from perles.companion.server import serve as serve_stdio

    serve_stdio(ControlPlane(), role)


@app.command()
def install(
    client: Annotated[
        str, typer.Argument(metavar="CLIENT", help="claude, codex, gemini or opencode.")
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Write it into the client's configuration.")
    ] = False,
    role: Role = OPERATE,
    json: Annotated[bool, typer.Option("--json", help="Print {path, written, lines}.")] = False,
) -> None:
    """Show the configuration that adds `perles mcp` to an agent's CLI, or write it."""
    from perles.companion import install as installing

    _check(role)
    server = installing.server_here(os.environ, role)
    text = installing.lines(client, server)
    path = installing.path_of(client, os.environ)
    written = False
    if write:
        Facade().need_person("write a configuration file")
        written = installing.write(client, server, os.environ)
    if json:
        print_json({"path": str(path), "written": written, "lines": text}, line=True)
    elif write:
        say(f"{'wrote' if written else 'nothing to do:'} {path}")
    else:
        say(f"put this into {path} (--write does it):\n\n{text}")


def _check(role: str) -> None:
    if role not in ROLES:
        raise UsageError(f"cannot serve the role {role!r}; it is one of {', '.join(ROLES)}")
