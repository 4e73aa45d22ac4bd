"""`perles doctor`: what is wrong with this machine or with a workflow, and what to do."""

from typing import Annotated, Final

import typer

from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane
from perles.domain.text import clean

MARKS: Final = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


def command(
    id: Annotated[
        str | None, typer.Argument(help="A workflow; without it the machine is checked.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print an array of findings.")] = False,
) -> None:
    """Report problems and what to do about them: exit 1 when there is one."""
    found = ControlPlane().doctor(id)
    if json:
        print_json([finding.as_json() for finding in found])
    else:
        for finding in found:
            say(f"{MARKS[finding.level]} {finding.check}: {clean(finding.text)}")
            for line in finding.lines:
                say(f"          | {clean(line)}")
            if finding.advice and finding.level != "ok":
                say(f"          → {clean(finding.advice)}")
    if any(finding.level == "problem" for finding in found):
        raise typer.Exit(1)
