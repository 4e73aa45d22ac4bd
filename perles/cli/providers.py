"""`perles providers`: which agent CLIs are here, and whether one really works."""

import os
from typing import Annotated, Any

import typer

from perles.cli.output import print_json, print_table, say
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import PerlesError
from perles.domain.explanations import NEAR

MOST = 200
"""Characters of why a provider sleeps."""
HEADERS = ("PROVIDER", "FOUND", "VERSION", "CAN", "NOTE")

app = typer.Typer(
    help="List agent CLIs and what each can do; test one, or end its hold.",
    invoke_without_command=True,
)


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> None:
    """List the providers: found, version, what each can do."""
    if context.invoked_subcommand is not None:
        return
    found = ControlPlane().providers()
    if json:
        print_json(found)
        return
    print_table(HEADERS, [_row(provider) for provider in found], soft=("CAN", "NOTE"))


@app.command("test")
def try_one(
    name: Annotated[str, typer.Argument(help="A provider, or provider:model.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run one real turn of a provider, with a tool call. This may cost a little."""
    tried = ControlPlane().try_provider(name)
    if json:
        found = {"provider": name, "works": tried.problem is None, "id": tried.id}
        print_json({**found, "reason": tried.problem})
    elif tried.problem is None:
        how = "with a tool call" if tried.by_tool else "without tools, as it is configured"
        say(f"{name} works: one turn {how} in {tried.seconds:.1f} s ({tried.id})")
    else:
        raise PerlesError(f"{name} does not work: {tried.problem}; look: perles logs {tried.id}")
    if tried.problem is not None:
        raise typer.Exit(1)


@app.command("resume")
def resume(
    name: Annotated[str, typer.Argument(help="A provider that is on hold.")],
    json: Annotated[
        bool, typer.Option("--json", help='Print {"provider": …, "held_for": …}.')
    ] = False,
) -> None:
    """End the hold of a provider, so that its turns start again."""
    reason = ControlPlane().resume_provider(name)
    if json:
        print_json({"provider": name, "held_for": reason}, line=True)
    else:
        say(f"{name} is asked again; it was held for: {reason}")


def _row(provider: dict[str, Any]) -> list[str]:
    note = provider["problem"] or _held(provider) or _used(provider) or provider["path"] or ""
    if provider["tested"] is False:
        note = f"not tested with this version; {note}"
    return [
        provider["name"],
        "yes" if provider["found"] else "no",
        provider["version"] or "-",
        ", ".join(provider["capabilities"]) or "-",
        note.replace(os.path.expanduser("~"), "~", 1),
    ]


def _held(provider: dict[str, Any]) -> str:
    """Until when it sleeps, who said so, and what ends it."""
    if not provider["held_until"]:
        return ""
    by = f", says {provider['held_by']}: {provider['held_because']}" if provider["held_by"] else ""
    return f"sleeps until {provider['held_until']}{by}"[:MOST] + (
        f"; perles providers resume {provider['name']} asks it again"
    )


def _used(provider: dict[str, Any]) -> str:
    """The windows of its quota, where one is nearly used up."""
    near = [window for window in provider["windows"] if window["used"] >= NEAR]
    return ", ".join(
        f"{window['window']} quota {window['used']:.0%} used, anew at {window['resets_at']}"
        for window in near
    )
