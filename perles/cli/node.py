"""`perles node`: this machine as a node of a cluster, started by hand; drain and resume of one."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from perles.cli import nodes
from perles.cli.output import warn
from perles.domain.errors import UsageError
from perles.domain.node_words import is_node_name, node_folder, this_node

Join = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Join the cluster of this Dask scheduler: tcp://HOST:PORT or tls://HOST:PORT.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Name of the node (default: the host's name)."),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--dir", metavar="DIR", help="Folder of its files (default: ~/.perles/nodes/NAME)."
    ),
]
Slots = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Run at most N turns at once (default: its CPUs)."),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(metavar="LABEL", help="A label for --on and needs:; repeatable."),
]
Authority = Annotated[
    str | None, typer.Option(metavar="FILE", help="Certificate of the authority, for tls://.")
]
Certificate = Annotated[
    str | None, typer.Option(metavar="FILE", help="Certificate of this node, for tls://.")
]
PrivateKey = Annotated[
    str | None, typer.Option(metavar="FILE", help="Private key of the certificate, for tls://.")
]

app = typer.Typer(
    help="Run a node of a cluster on this machine, in this terminal; drain or resume one.",
    invoke_without_command=True,
)
app.command("drain")(nodes.drain)
app.command("resume")(nodes.resume)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    join: Join = None,
    name: Name = None,
    folder: Folder = None,
    slots: Slots = None,
    label: Labels = None,
    ca: Authority = None,
    certificate: Certificate = None,
    key: PrivateKey = None,
) -> None:
    """Run this machine's node in this terminal; Ctrl-C ends it, with its agents.

    A node runs turns for an engine elsewhere, which finds it by a Dask worker on this machine:
    --join starts one beside the node. Without, a worker that comes later finds the node, if its
    environment has the same PERLES_NODE_NAME and PERLES_NODE_DIR, where these are set.
    Engines start the nodes of their cluster by themselves; by hand you choose name, slots and
    labels, and a machine joins without SSH.
    """
    if context.invoked_subcommand is not None:
        return
    from perles.node.main import main

    chosen = name or this_node(os.environ, os.uname().nodename)
    for word in (chosen, *(label or ())):
        if not is_node_name(word):
            raise UsageError(
                f"cannot use {word!r} as a name or label: they are letters, digits, and . _ - "
                "between them"
            )
    where = os.path.abspath(folder or node_folder(os.environ, chosen))
    arguments = ["--name", chosen, "--dir", where]
    arguments += [] if slots is None else ["--slots", str(slots)]
    arguments += [word for one in label or () for word in ("--label", one)]
    arguments += _joining(join, {"ca": ca, "certificate": certificate, "key": key})
    runs = _runs(Path(where))
    if runs:
        warn(f"node {chosen} runs already (pid {runs}): it stays as it was started")
    else:
        warn(f"node {chosen}: its files and its log are in {where}; Ctrl-C ends it")
    sys.exit(main(arguments, warn))


def _joining(join: str | None, files: dict[str, str | None]) -> list[str]:
    """What the node is told of the cluster. Raises `UsageError`."""
    if join is None:
        return []
    if not join.startswith(("tcp://", "tls://")):
        raise UsageError(f"cannot join {join}: write tcp://HOST:PORT or tls://HOST:PORT")
    if join.startswith("tls://") and not all(files.values()):
        raise UsageError("cannot join by tls:// without --ca, --certificate and --key")
    for file in filter(None, files.values()):
        if not Path(file).expanduser().is_file():
            raise UsageError(f"cannot join: there is no file {file}")
    if find_spec("distributed") is None:
        raise UsageError("cannot join: Dask is not installed; pip install 'perles[cluster]'")
    given = [word for name, file in files.items() if file for word in (f"--{name}", file)]
    return ["--join", join, *given]


def _runs(folder: Path) -> int:
    """The pid of the node that runs in a folder; 0 where none does."""
    from perles.node import guard

    lock = folder / guard.NODE_LOCK
    if not lock.exists() or not guard.is_held(lock):
        return 0
    return next(iter(guard.pids_in(lock)), 0)
