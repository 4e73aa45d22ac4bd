"""`perles engine`: whether one runs, and ending it."""

import sys
from typing import Annotated, Final

import typer

from perles.cli.options import Json
from perles.cli.output import age, print_json, say
from perles.controlplane.plane import ControlPlane
from perles.domain.cluster_words import standing
from perles.domain.errors import NoEngineError, NotFoundError
from perles.domain.explanations import advice
from perles.engine import watchdog
from perles.executor.local.output import follow_lines, tail_of

MAX_TAIL: Final = 4 * 1024 * 1024

app = typer.Typer(
    help="Show or stop the engine, the process that runs workflows, or print its log.",
    no_args_is_help=True,
)


@app.command()
def status(json: Json = False) -> None:
    """Show whether an engine runs (exit 5 when none does)."""
    plane = ControlPlane()
    found = plane.engine_status()
    if json:
        print_json(found)
    if found is None:
        raise _none_runs(watchdog.word(plane.paths.root))
    if not json:
        ports = ", ".join(str(port) for port in found["ports"]) or "none"
        say(f"engine {found['version']} runs: pid {found['pid']} on {found['host']}")
        if found["trouble"]:
            say(f"{found['trouble']}; {advice(found['trouble'])}")
        say(f"started {age(found['started_at'])}, heartbeat {age(found['heartbeat_at'])}")
        say(f"workflows running {found['workflows_running']}, agents {found['turns_running']}")
        if found["cluster"] is not None:
            say(f"cluster {found['cluster']['place']}: {standing(found['cluster'])}")
        say(f"ports {ports}")
        if found["http"] is not None:
            say(f"HTTP {found['http']}")
        if found["memory_bytes"] is not None:
            say(f"memory {found['memory_bytes'] / 2**20:.0f} MiB")


def _none_runs(why: str | None) -> NoEngineError:
    if why is None:
        return NoEngineError()
    return NoEngineError(f"no engine runs: {why}; why it died: perles engine logs")


@app.command()
def stop(
    leave_agents: Annotated[
        bool,
        typer.Option("--leave-agents", help="Leave agents running for the next engine."),
    ] = False,
    json: Json = False,
) -> None:
    """Stop the engine; running workflows are paused and can be resumed."""
    pid = ControlPlane().stop_engine(leave_agents=leave_agents)
    if json:
        print_json({"pid": pid, "agents_left": leave_agents}, line=True)
        return
    say(f"stopped the engine (pid {pid}){'; its agents work on' if leave_agents else ''}")


@app.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", help="Print the last N lines.")] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new lines.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the log of background engines."""
    path = ControlPlane().paths.engine_log()
    if not path.exists():
        raise NotFoundError("log", str(path), "no engine ran on its own here yet")
    for line in tail_of(path, lines=max(1, lines), limit=MAX_TAIL):
        _say(line, json)
    if follow:
        for line in follow_lines(path):
            _say(line, json)
            sys.stdout.flush()


def _say(line: str, as_json: bool) -> None:
    if as_json:
        print_json({"line": line}, line=True)
    else:
        say(line)
