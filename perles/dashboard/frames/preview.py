"""Below the table: the tasks of the selected workflow, its agents, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perles.dashboard.frames.detail import agent_line
from perles.dashboard.frames.parts import clock
from perles.dashboard.frames.text import markdown
from perles.dashboard.frames.transcript import agent_style, record_lines
from perles.dashboard.frames.tree import tree
from perles.dashboard.model.preview import Preview
from perles.dashboard.reading.record import Record
from perles.dashboard.terminal.segments import Line, Segment, beside, line, stack
from perles.domain.task_story import foremost
from perles.domain.text import clean, cut, width

_WIDE: Final = 70
"""From this width on, tasks and talk stand side by side."""
_SIDE: Final = 46
_MOST_AGENTS: Final = 6


def draw(preview: Preview, name: str, now: float, columns: int, rows: int) -> list[Line]:
    """The preview in exactly `rows` rows, a rule with the workflow's name first."""
    height = rows - 1
    title = cut(f"── {clean(name)} ", max(1, columns - 12))
    rule = "─" * max(0, columns - width(title) - 11)
    head = line(Segment(title, "title"), Segment(f"{rule} Tab opens", "muted"))
    if columns < _WIDE:
        return [head, *stack(_talk(preview.said, columns, height), columns, height)]
    side = min(_SIDE, columns * 2 // 5)
    room = columns - side - 3
    left = stack(_work(preview, side, height, now), side, height)
    split = [line(Segment(" │ ", "border"))] * height
    right = stack(_talk(preview.said, room, height), room, height)
    return [head, *beside(beside(left, split), right)]


def _work(preview: Preview, columns: int, height: int, now: float) -> list[Line]:
    """The tree of tasks, and below it the agents."""
    agents = [one for one in preview.agents if one["status"] != "retired"]
    shown = [agent_line(agent, now, columns) for agent in agents[:_MOST_AGENTS]]
    if len(agents) > _MOST_AGENTS:
        shown.append(line(Segment(f"… {len(agents) - _MOST_AGENTS} more agents", "muted")))
    room = max(1, height - len(shown) - 1)
    tasks = tree(foremost(preview.tasks, room), columns, now, full=False, most=room)
    total = len(preview.tasks) + preview.more_tasks
    if total > room:
        more = f"… {total - room + 1} more tasks"
        tasks = [*tasks[: room - 1], line(Segment(more, "muted"))]
    return [*(tasks or [line(Segment("no task yet", "muted"))]), (), *shown]


def _talk(records: Sequence[Record], columns: int, height: int) -> list[Line]:
    """The end of what the agents said, as much as fits, under the name of who said it."""
    found: list[Line] = []
    for at in reversed(range(len(records))):
        record = records[at]
        lines = _said(record, columns)
        if at == 0 or records[at - 1].who != record.who:
            who = Segment(clean(record.who), agent_style(record.who))
            lines = [line(who, Segment(f"  {clock(record.at)}", "muted")), *lines]
        found = [*lines, *found]
        if len(found) >= height:
            break
    return found[-height:] or [line(Segment("its agents said nothing yet", "muted"))]


def _said(record: Record, columns: int) -> list[Line]:
    if record.kind in ("text", "notice"):
        return markdown(record.text, columns)
    return list(record_lines(record, columns))
