"""`perles diff`: what a workflow changed, as a patch or a list of files."""

import os
import shlex
import subprocess
import sys
from typing import Annotated, Any, Final

import typer

from perles.cli.options import WorkflowId
from perles.cli.output import on_terminal, print_json, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.text import clean

_PAGER: Final = "less"
_COLORS: Final = (
    *(("+++", "1"), ("---", "1"), ("diff ", "1"), ("index ", "1"), ("new file", "1")),
    *(("deleted file", "1"), ("rename ", "1"), ("similarity ", "1"), ("Binary ", "1")),
    *(("@@", "36"), ("+", "32"), ("-", "31")),
)
"""How lines of a patch begin, and their colours."""
_BAR: Final = 40


def command(
    id: WorkflowId,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH…]", help="Only these files or folders.")
    ] = None,
    stat: Annotated[
        bool, typer.Option("--stat", help="Show only the files and the number of changed lines.")
    ] = False,
    task: Annotated[
        str | None, typer.Option("--task", metavar="KEY", help="Only the commits of this task.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the files, and without --stat the patch.")
    ] = (False),
) -> None:
    """Show what a workflow with a worktree changed since its base, committed or not."""
    found = ControlPlane().diff(id, paths or (), task=task, with_patch=not stat)
    if json:
        print_json(found)
    elif not found["files"]:
        warn("no changes")
    else:
        _show(stat_lines(found["files"]) if stat else clean(found["patch"], lines=True).split("\n"))


def stat_lines(files: list[dict[str, Any]]) -> list[str]:
    """A line for each file, with its lines added and removed, and the sum."""
    most = max((one["added"] or 0) + (one["removed"] or 0) for one in files)
    names = [_name(one) for one in files]
    widest = max(len(name) for name in names)
    lines = [
        f" {name:<{widest}} | {_bar(one, most)}" for name, one in zip(names, files, strict=True)
    ]
    added, removed = (sum(one[key] or 0 for one in files) for key in ("added", "removed"))
    many = "1 file" if len(files) == 1 else f"{len(files)} files"
    return [*lines, f" {many} changed, +{added} -{removed}"]


def _name(one: dict[str, Any]) -> str:
    old = f"{clean(one['old_path'])} => " if one["old_path"] else ""
    return old + clean(one["path"])


def _bar(one: dict[str, Any], most: int) -> str:
    if one["added"] is None:
        return "binary"
    scale = min(1.0, _BAR / most) if most else 1.0
    bars = [
        sign * (max(1, round(one[key] * scale)) if one[key] else 0)
        for sign, key in (("+", "added"), ("-", "removed"))
    ]
    return f"{one['added'] + one['removed']} {''.join(bars)}"


def _show(lines: list[str]) -> None:
    if not on_terminal():
        print("\n".join(lines).rstrip("\n"))
        return
    paint = str if os.environ.get("NO_COLOR") else _colored
    text = "\n".join(map(paint, lines)) + "\n"
    words = shlex.split(os.environ.get("PERLES_PAGER") or os.environ.get("PAGER") or _PAGER)
    try:
        # As git does it: a `less` that nobody has set up shows colours, and short texts at once.
        env = {"LESS": "FRX", **os.environ}
        subprocess.run(words, input=text.encode(errors="replace"), check=False, env=env)
    except OSError:
        sys.stdout.write(text)  # there is no pager on this machine


def _colored(line: str) -> str:
    for start, color in _COLORS:
        if line.startswith(start):
            return f"\x1b[{color}m{line}\x1b[m"
    return line
