"""`perles providers`: which agent CLIs are here, and whether one really works."""

import os
import tempfile
import time
from typing import Annotated, Any, Final

import typer

from perles.cli.output import print_json, print_table, say
from perles.controlplane import ControlPlane
from perles.domain.errors import PerlesError
from perles.domain.specs import WorkflowSpec
from perles.domain.states import WORKFLOW

HEADERS = ("PROVIDER", "FOUND", "VERSION", "CAN", "NOTE")
TEST_GOAL: Final = (
    "This only tests that you can reach the tools. Create no task and spawn no worker. Call the "
    "tool signal_workflow_complete with status success and the summary 'it works', then end "
    "your turn."
)
TEST_SECONDS: Final = 180.0
LOOK_SECONDS: Final = 0.2

app = typer.Typer(help="Agent CLIs: which are here, what each can do.", invoke_without_command=True)


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="An array of objects.")] = False,
) -> None:
    """List the providers: found, version, what each can do."""
    if context.invoked_subcommand is not None:
        return
    found = ControlPlane().providers()
    if json:
        print_json(found)
        return
    print_table(HEADERS, [_row(provider) for provider in found])


@app.command("test")
def try_one(
    name: Annotated[str, typer.Argument(help="A provider, or provider:model.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run one real turn of a provider, which must call one of our tools. It may cost a little."""
    plane = ControlPlane()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="perles-test-") as folder:
        spec = WorkflowSpec(
            goal=TEST_GOAL,
            name=f"test of {name}",
            work_dir=folder,
            coordinator=name,
            worker=name,
            labels={"perles": "provider-test"},
        )
        id = plane.create(spec)
        plane.start(id, with_engine=True)
        shown = _ended(plane, id)
    seconds = time.monotonic() - began
    worked = shown["state"] == "completed"
    if json:
        print_json({"provider": name, "works": worked, "id": id, "reason": shown["reason"]})
    elif worked:
        say(f"{name} works: one turn with a tool call in {seconds:.1f} s ({id})")
    else:
        raise PerlesError(f"{name} does not work: {shown['reason']}; look: perles logs {id}")
    if not worked:
        raise typer.Exit(1)


def _ended(plane: ControlPlane, id: str) -> dict[str, Any]:
    deadline = time.monotonic() + TEST_SECONDS
    while plane.state_of(id) not in WORKFLOW.terminal:
        if time.monotonic() > deadline:
            plane.fail(id, f"no end after {TEST_SECONDS:.0f} s")
            break
        time.sleep(LOOK_SECONDS)
    return plane.get(id)


def _row(provider: dict[str, Any]) -> list[str]:
    held = provider["held_until"]
    note = provider["problem"] or (f"sleeps until {held}" if held else provider["path"] or "")
    return [
        provider["name"],
        "yes" if provider["found"] else "no",
        provider["version"] or "-",
        ", ".join(provider["capabilities"]) or "-",
        note.replace(os.path.expanduser("~"), "~", 1),
    ]
