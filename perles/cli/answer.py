"""`perles approve` and `perles deny`: answer a task that waits for a person."""

from typing import Annotated

import typer

from perles.cli.output import say
from perles.controlplane import ControlPlane

Id = Annotated[str, typer.Argument(help="Id, unique prefix of it, or unique name.")]
TaskKey = Annotated[str, typer.Argument(metavar="TASK", help="Key of the task.")]


def approve(
    id: Id,
    task: TaskKey,
    message: Annotated[str, typer.Option("-m", "--message", help="What to say with it.")] = "",
) -> None:
    """Approve a task that waits for you."""
    say(ControlPlane().approve(id, task, message).text)


def deny(
    id: Id,
    task: TaskKey,
    message: Annotated[str, typer.Option("-m", "--message", help="Why.")] = "",
) -> None:
    """Deny a task that waits for you: it fails, with your reason."""
    say(ControlPlane().deny(id, task, message).text)
