"""`perles retry ID --file FILE`: a workflow goes on with a corrected file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from perles.cli.list import pairs
from perles.cli.output import print_json, print_table, say
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError


class Corrected(NamedTuple):
    """Which workflow goes on with which file."""

    ref: str
    file: Path
    begin: Sequence[str]
    args: Mapping[str, str]

    def create(self, plane: ControlPlane) -> str:
        """Create the workflow that goes on; its id."""
        return plane.correct(self.ref, self.file, args=self.args, from_tasks=self.begin)

    def show(self, plane: ControlPlane, *, as_json: bool) -> None:
        """Print what would become of each task."""
        found = plane.preview_correction(self.ref, self.file, args=self.args, from_tasks=self.begin)
        if as_json:
            print_json(found)
            return
        rows = [[one["what"], one["key"], one["name"], one["why"]] for one in found]
        print_table(("DOES", "KEY", "NAME", "WHY"), rows, soft=("NAME", "WHY"))
        count = sum(one["what"] in ("run", "add") for one in found)
        kept = sum(one["what"] == "keep" for one in found)
        say(f"{count} would run, {kept} stay as they are")


def read(
    refs: Sequence[str],
    file: Path | None,
    begin: list[str] | None,
    arg: list[str] | None,
    *,
    dry_run: bool,
) -> Corrected | None:
    """What the options ask for; None without a file. Raises `UsageError`."""
    if file is None:
        if begin or arg or dry_run:
            raise UsageError("cannot use --from, --arg or --dry-run without --file: give the file")
        return None
    if len(refs) != 1:
        raise UsageError(f"cannot correct {len(refs)} workflows by one file: name one")
    return Corrected(refs[0], file, begin or (), pairs("argument", arg))
