"""`perles config`: what holds, where it comes from, and a file to start with."""

import os
from pathlib import Path
from typing import Annotated

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, print_table, say, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError

app = typer.Typer(help="Show, check, write and reload the configuration.", no_args_is_help=True)


@app.command()
def show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Show where each value comes from.")
    ] = False,
    json: Json = False,
) -> None:
    """Show every setting that applies here."""
    from perles.config import load

    settings = load.explain()
    if json:
        print_json([setting._asdict() for setting in settings])
    elif origin:
        print_table(("KEY", "VALUE", "ORIGIN"), [list(setting) for setting in settings])
        for one in load.unused():
            warn(str(one))
    else:
        print_table(("KEY", "VALUE"), [list(setting[:2]) for setting in settings])


@app.command()
def init(
    user: Annotated[
        bool, typer.Option("--user", help="Write your own file instead of the repository's.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    json: Json = False,
) -> None:
    """Write a configuration file with every key, its default and its meaning, commented out."""
    from perles.config import files, load

    repo = files.repo_of(Path.cwd())
    ControlPlane().need_person("write a configuration file")
    path = files.user_file() if user else (repo or Path.cwd()) / ".perles" / "config.yaml"
    if path.exists() and not force:
        raise UsageError(f"cannot write {path}: it exists already; --force overwrites it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(load.render_default(for_repository=not user))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    if json:
        print_json({"path": os.fspath(path)}, line=True)
    else:
        say(f"wrote {path}")


@app.command()
def reload(json: Json = False) -> None:
    """Make the engine read the configuration again; running work continues."""
    told = ControlPlane().reload_config()
    if json:
        print_json(told, line=True)
        return
    changes, at_restart = told["changes"], told["at_restart"]
    for key, (old, new) in changes.items():
        say(f"{key} changed" if old == new else f"{key}: {old} → {new}")
    if changes or not at_restart:
        say("the engine took up the configuration" + ("" if changes else "; nothing changed"))
    if at_restart:
        say(
            f"needs another engine: {', '.join(at_restart)}; perles engine stop ends this one, "
            "perles serve starts the next"
        )


@app.command()
def check(json: Json = False) -> None:
    """Check the configuration (exit 2 when it is wrong) and list keys without effect."""
    from perles.config import files, load

    paths = files.files()
    load.load()
    ignored = load.ignored_keys(paths)
    if json:
        print_json({"files": [os.fspath(path) for path in paths], "ignored": ignored})
        return
    for line in ignored:
        warn(f"{line} has no effect")
    for one in load.unused():
        warn(str(one))
    read = ", ".join(os.fspath(path) for path in paths) or "no file; the defaults hold"
    say(f"the configuration is fine: {read}")
