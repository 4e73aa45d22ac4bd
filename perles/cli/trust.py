"""`perles trust`: let a repository's configuration count in whole."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.text import clean


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The repository, or a folder in it.")
    ] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help='Print {"path": …, "keys": […]}; needs --yes.')
    ] = False,
) -> None:
    """Trust a repository's .perles/config.yaml in its current form.

    Without trust it cannot set programs, their arguments and environment, providers or a
    sandbox. A change of the file revokes the trust.
    """
    from perles.config import files, load, trust, yamlfile

    repo = files.repo_of(Path(os.path.abspath(directory)))
    file = (repo or directory) / ".perles" / "config.yaml"
    text = yamlfile.read_text(file)
    plane = ControlPlane()
    plane.need_person("trust a repository")
    found = load.unused(work_dir=file.parent.parent, home=plane.paths.root)
    asked = [one for one in found if one.by_trust and one.file == file]
    if not json:
        for one in asked:
            say(f"{clean(one.where)}: {clean(one.key)}")
    if asked:
        if not yes:
            _ask(file, directory)
        plane.paths.ensure_home()
        trust.trust(file, text, plane.paths.root)
    if json:
        print_json({"path": str(file), "keys": [one.key for one in asked]}, line=True)
    elif asked:
        say(f"trusted: {file}, until it changes")
    else:
        say(f"{file} has nothing that needs trust, or is trusted")


def _ask(file: Path, directory: Path) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"cannot ask whether to trust {file}: this is no terminal; "
            f"look at it, then: perles trust --yes {directory}"
        )
    if not typer.confirm(f"Let {file} start these programs as you?"):
        raise UsageError("not trusted; only harmless keys apply")
