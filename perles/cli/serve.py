"""`perles serve`: the engine, in this terminal or on its own."""

import os
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Final

import typer

from perles.cli.output import say, warn
from perles.controlplane.http_address import served_at
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import EngineRunsError, UsageError

_HTTP_SECONDS: Final = 10.0


Foreground = Annotated[
    bool,
    typer.Option("--foreground/--detach", help="Stay in this terminal, or run in the background."),
]
WhenIdle = Annotated[
    bool, typer.Option("--exit-when-idle", help="Exit when nothing runs or waits.")
]
MaxWorkflows = Annotated[int | None, typer.Option(metavar="N", help="Limit of running workflows.")]
MaxWorkers = Annotated[
    int | None, typer.Option(metavar="N", help="Limit of live workers in all workflows.")
]
MaxCalls = Annotated[
    int | None, typer.Option(metavar="N", help="Limit of concurrent turns of AI agents.")
]
TokenBudget = Annotated[
    int | None,
    typer.Option(metavar="N", help="Token budget of all workflows; 0 means no limit."),
]
FirstPort = Annotated[int | None, typer.Option(metavar="PORT", help="First port for workflows.")]
LastPort = Annotated[int | None, typer.Option(metavar="PORT", help="Last port, inclusive.")]
Standby = Annotated[
    bool,
    typer.Option("--standby", help="Wait while another engine leads, then take over."),
]
Http = Annotated[
    str | None,
    typer.Option(metavar="[HOST:]PORT", help="Also serve HTTP and the web page at this address."),
]
Certificate = Annotated[
    str | None, typer.Option(metavar="FILE", help="Certificate for HTTP over TLS.")
]
PrivateKey = Annotated[
    str | None, typer.Option(metavar="FILE", help="Private key of the certificate.")
]


def command(
    foreground: Foreground = True,
    exit_when_idle: WhenIdle = False,
    max_workflows_running: MaxWorkflows = None,
    max_workers: MaxWorkers = None,
    max_ai_calls: MaxCalls = None,
    token_budget: TokenBudget = None,
    port_range_start: FirstPort = None,
    port_range_end: LastPort = None,
    standby: Standby = False,
    http: Http = None,
    http_certificate: Certificate = None,
    http_key: PrivateKey = None,
) -> None:
    """Run the engine in this terminal. Ctrl-C pauses running workflows and ends it."""
    _override(
        max_workflows_running=max_workflows_running,
        max_workers=max_workers,
        max_ai_calls=max_ai_calls,
        token_budget=token_budget,
        port_range_start=port_range_start,
        port_range_end=port_range_end,
    )
    _override_http(listen=http, certificate=http_certificate, key=http_key)
    plane = ControlPlane()
    if standby:
        _stand_by(plane, foreground=foreground, exit_when_idle=exit_when_idle)
        return
    if foreground:
        with _http(plane):
            plane.serve(exit_when_idle=exit_when_idle)
        return
    if plane.ensure_engine(exit_when_idle=exit_when_idle):
        say("the engine runs; perles engine status tells more")
    else:
        kept = "" if exit_when_idle else ", and stays"
        say(f"an engine runs already{kept}; perles engine status tells more")
    if http is not None:
        _tell_where(plane)


def _stand_by(plane: ControlPlane, *, foreground: bool, exit_when_idle: bool) -> None:
    """Lead as soon as nobody else does. Two that wait: one wins, and the other waits on."""
    if not foreground:
        raise UsageError(
            "cannot stand by in the background: leave out --detach, and start it from a unit of "
            "systemd, or with &"
        )
    while True:
        plane.stand_by(lambda text: warn(f"perles: {text}"))
        try:
            with _http(plane):
                plane.serve(exit_when_idle=exit_when_idle)
        except EngineRunsError:
            continue
        return


def _http(plane: ControlPlane) -> AbstractContextManager[None]:
    """What serves HTTP beside the engine, where the configuration says so."""
    if not plane.engine_config().http.listen:
        return nullcontext()
    from perles.http.process_supervisor import served  # an engine without it need not pay for it

    return served(plane)


def _tell_where(plane: ControlPlane) -> None:
    """Say where HTTP is served, once it is, or that it is not."""
    deadline = time.monotonic() + _HTTP_SECONDS
    while (url := served_at(plane.paths.root)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if url is None:
        warn(
            "perles: HTTP is not served: perles engine logs tells why; an engine that ran before "
            "serves it when it is started again"
        )
    else:
        say(f"HTTP is served at {url}; perles token create NAME makes a token for it")


def _override_http(**given: str | None) -> None:
    """Put options over file and environment, also for an engine of its own."""
    for name, value in given.items():
        if value is not None:
            text = value if name == "listen" else os.path.abspath(os.path.expanduser(value))
            os.environ[f"PERLES_HTTP__{name.upper()}"] = text


def _override(**limits: int | None) -> None:
    """Put limits of the command line over file and environment, also for an engine of its own."""
    for name, value in limits.items():
        if value is not None:
            os.environ[f"PERLES_CONTROL_PLANE__RESOURCE_POLICY__{name.upper()}"] = str(value)
