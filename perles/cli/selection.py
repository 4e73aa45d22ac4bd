"""Which workflows a command is about: named ones, or all that match the options."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import typer

from perles.cli.list import split_pair, words_of
from perles.cli.options import NAMESAKES
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.states import WORKFLOW

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID…]", help=f"Ids, unique prefixes, or names. {NAMESAKES}"),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="K=V", help="Workflows with this label; repeatable."),
]
States = Annotated[
    str | None, typer.Option("--state", metavar="STATE,…", help="Workflows in these states.")
]
All = Annotated[bool, typer.Option("--all", help="Every workflow in a state that allows it.")]


class Selection(NamedTuple):
    """What was asked for on the command line."""

    ids: Sequence[str]
    labels: Sequence[str]
    state: str | None
    everything: bool

    @classmethod
    def of(
        cls, ids: Ids = None, label: Labels = None, state: States = None, everything: All = False
    ) -> "Selection":
        """The selection that these options mean. Raises `UsageError` where nothing is named."""
        if ids and (label or state or everything):
            raise UsageError("cannot use ids together with --label, --state or --all; give one")
        if not (ids or label or state or everything):
            raise UsageError("cannot tell which workflows: give ids, --label, --state or --all")
        return cls(ids or (), label or (), state, everything)

    def resolve(self, plane: ControlPlane, possible: Sequence[str]) -> list[str]:
        """The workflows that are meant, oldest first: as named, or those in a `possible` state."""
        if self.ids:
            return list(dict.fromkeys(self.ids))
        asked = words_of("state", self.state, WORKFLOW.states) or tuple(possible)
        states = [state for state in asked if state in possible]
        if not states:
            return []
        found = plane.list(
            states=states,
            labels=[split_pair("label", text) for text in self.labels],
            limit=None,
        )
        return [row["id"] for row in reversed(found)]
