"""rename and label: what people call workflows, and how they find them again."""

from typing import Annotated

import typer

from perles.cli.lifecycle import Json, ask_each
from perles.cli.list import split_pair
from perles.cli.options import WorkflowId
from perles.cli.output import print_outcome
from perles.controlplane.plane import ControlPlane
from perles.domain.commands import Label
from perles.domain.errors import UsageError


def rename(
    id: WorkflowId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    json: Json = False,
) -> None:
    """Rename a workflow in any state."""
    print_outcome(ControlPlane().rename(id, name), json)


def label(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="ID… KEY=VALUE… KEY-…",
            help="Workflows, labels to add, and keys of labels to remove, with a - at the end.",
        ),
    ],
    json: Json = False,
) -> None:
    """Add labels to workflows, and remove labels."""
    ids = [word for word in words if "=" not in word and not word.endswith("-")]
    add = dict(split_pair("label", word) for word in words if "=" in word)
    remove = tuple(word[:-1] for word in words if "=" not in word and word.endswith("-"))
    if not ids:
        raise UsageError("cannot label nothing: give an id, then KEY=VALUE or KEY-")
    if not (add or remove):
        raise UsageError(
            "cannot label without a label: give KEY=VALUE to add one, KEY- to remove one"
        )
    ask_each(ids, Label(add=add, remove=remove), json)
