"""The live view of `perles run` on a terminal: the task tree, spinners, times, one progress bar."""

import time
from collections.abc import Callable
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from perles.cli.output import between, spent
from perles.controlplane.plane import ControlPlane
from perles.controlplane.quick import Json
from perles.domain.duration import span
from perles.domain.task_story import IN_WORDS
from perles.domain.text import clean

FRAMES_PER_SECOND: Final = 8
LOOK_SECONDS: Final = 0.1
MARKS: Final = {
    "pending": ("·", "dim"),
    "ready": ("○", ""),
    "done": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("–", "yellow"),
    "waiting_for_user": ("?", "bold yellow"),
}
WAITS: Final = "waiting for you"
"""How the attention of a workflow begins that asks its person something."""
ENDED: Final = ("done", "failed", "skipped")


class RunView:
    """What is drawn: made from a workflow's `show`, cut to the terminal's height."""

    def __init__(self, shown: Json, way_out: str = "") -> None:
        self.shown = shown
        self._way_out = way_out
        self._spinner = Spinner("dots", style="cyan")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The frame."""
        rows = max(3, console.height - 5)
        tasks = self.shown["tasks"]
        chosen = visible(tasks, rows)
        table = Table.grid(padding=(0, 1))
        for task in chosen:
            table.add_row(*self._cells(task, depth_of(tasks).get(task["key"], 0)))
        hidden = len(tasks) - len(chosen)
        parts: list[RenderableType] = [self._head(), table if tasks else self._planning()]
        if hidden:
            parts.append(Text(f"  … {hidden} more tasks", style="dim"))
        parts += self._asked()
        parts.append(self._foot())
        yield Group(*parts)

    def _asked(self) -> list[RenderableType]:
        """What its person is asked, and where that is answered."""
        attention = self.shown["attention"] or ""
        if self.shown["ended_at"] is not None or not attention.startswith(WAITS):
            return []
        return [Text(f"? {clean(attention)} (perles inbox)", style="bold yellow", no_wrap=True)]

    def _head(self) -> Text:
        name, state = clean(self.shown["name"]), self.shown["state"]
        head = Text.assemble((name, "bold"), f"  {self.shown['id']}  ", (state, "cyan"))
        if self.shown["reason"]:
            head.append(f"  {clean(self.shown['reason'])}", style="yellow")
        head.no_wrap = True
        return head

    def _planning(self) -> Table:
        """What goes on before there is a task: a coordinator may think for a while."""
        grid = Table.grid(padding=(0, 1))
        if self.shown["ended_at"] is None:
            doing = " · ".join(self.shown["waits_for"]) or "starting"
            said = doing.replace("coordinator: its turn", "the coordinator plans")
            grid.add_row(self._spinner, Text(clean(said), style="dim", no_wrap=True))
        return grid

    def _cells(self, task: Json, depth: int) -> list[Text | Spinner]:
        mark, style = MARKS.get(task["status"], ("", ""))
        took = between(task["started_at"], task["ended_at"])
        label = Text(f"{'  ' * min(depth, 8)}{clean(task['name'])}", style=style, no_wrap=True)
        note = task["failure"] if task["status"] in ("failed", "skipped") else task["assignee"]
        note = " ".join(filter(None, (IN_WORDS.get(task["status"]), note)))
        if task["attempt"] > 1:
            note = f"{note or ''} attempt {task['attempt']}"
        return [
            Text(mark, style=style) if mark else self._spinner,
            label,
            Text("" if took is None else span(took), style="dim", justify="right"),
            Text(clean(note or ""), style="dim", no_wrap=True),
        ]

    def _foot(self) -> Table:
        tasks = self.shown["tasks"]
        ended = sum(task["status"] in ENDED for task in tasks)
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, len(tasks)), completed=ended, width=30)
        grid.add_row(
            bar,
            Text(f"{ended}/{len(tasks)}" if tasks else ""),
            Text(span(between(self.shown["started_at"], self.shown["ended_at"])), style="dim"),
            Text(spent(self.shown).removeprefix(", "), style="dim", no_wrap=True),
            Text("" if self.shown["ended_at"] else self._way_out, style="dim", no_wrap=True),
        )
        return grid


def depth_of(tasks: list[Json]) -> dict[str, int]:
    """How many tasks stand before each, along the longest way."""
    after = {task["key"]: task["after"] for task in tasks}
    depths: dict[str, int] = {}
    waiting = list(after)
    while waiting:
        key = waiting[-1]
        open_blockers = [blocker for blocker in after[key] if blocker not in depths]
        if open_blockers:
            waiting += open_blockers
            continue
        waiting.pop()
        depths[key] = 1 + max((depths[blocker] for blocker in after[key]), default=-1)
    return depths


def visible(tasks: list[Json], rows: int) -> list[Json]:
    """The tasks that fit: what runs and failed first, then what comes next, in plan order."""
    if len(tasks) <= rows:
        return tasks
    ranks = {"failed": 0, "ready": 2, "pending": 3, "done": 4, "skipped": 4}
    order = sorted(range(len(tasks)), key=lambda index: ranks.get(tasks[index]["status"], 1))
    return [tasks[index] for index in sorted(order[:rows])]


def follow_live(
    plane: ControlPlane, workflow_id: str, finished: Callable[[], bool], *, way_out: str
) -> None:
    """Draw until `finished` says so; the last frame stays. `way_out` tells what Ctrl-C does."""
    view = RunView(plane.get(workflow_id), way_out)
    console = Console(highlight=False)
    with Live(view, console=console, refresh_per_second=FRAMES_PER_SECOND):
        done = False
        while not done:
            done = finished()
            view.shown = plane.get(workflow_id)
            time.sleep(LOOK_SECONDS)
