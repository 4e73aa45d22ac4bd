"""`perles engine`: whether one runs, and ending it."""

from typing import Annotated

import typer

from perles.cli.output import age, print_json, say
from perles.controlplane import ControlPlane
from perles.domain.errors import NoEngineError

app = typer.Typer(help="The engine: the one process that runs workflows.", no_args_is_help=True)


@app.command()
def status(json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Tell whether an engine runs (exit 5 when none does)."""
    found = ControlPlane().engine_status()
    if json:
        print_json(found)
    if found is None:
        raise NoEngineError
    if not json:
        ports = ", ".join(str(port) for port in found["ports"]) or "none"
        say(f"engine {found['version']} runs: pid {found['pid']} on {found['host']}")
        say(f"started {age(found['started_at'])}, heartbeat {age(found['heartbeat_at'])}")
        say(f"workflows running {found['workflows_running']}, turns {found['turns_running']}")
        say(f"ports {ports}")


@app.command()
def stop() -> None:
    """Stop the engine; running workflows are paused and can be resumed."""
    pid = ControlPlane().stop_engine()
    say(f"stopped the engine (pid {pid})")
