"""The row of channels above their posts, with what was not read in each."""

from __future__ import annotations

from perles.dashboard.frames.parts import ends
from perles.dashboard.model import names
from perles.dashboard.model.state import Detail, Inside, View
from perles.dashboard.reading.channels import COUNTED
from perles.dashboard.terminal.segments import Line, Segment, fit, line
from perles.domain.text import clean, cut

_MOST_NAMES = 6


def bar(detail: Detail, inside: Inside, columns: int) -> Line:
    """All channels; the one that is shown counts as read."""
    left: list[Segment] = []
    purpose = ""
    for one in inside.channels:
        is_shown = one["channel"] == detail.channel
        left.append(Segment(f" #{one['channel']}", "title" if is_shown else "muted"))
        if is_shown:
            purpose = str(one["purpose"])
        elif one["unread"]:
            more = "+" if one["unread"] >= COUNTED else ""
            left.append(Segment(f" {one['unread']}{more}", "warn"))
        left.append(Segment(" "))
    said = line(Segment(f"{purpose} c: another ", "muted"))
    return fit(ends(line(*left), said, columns), columns)


def hint(detail: Detail, view: View) -> str:
    """What helps while one writes in a channel; "" where one writes to an agent."""
    if not names.is_channel(detail.to):
        return ""
    found = names.fitting(detail.input.text[: detail.input.at], names.known(view))
    if found:
        fits = " ".join(f"@{clean(name)}" for name in found[:_MOST_NAMES])
        return f"{cut(fits, 60)} · Tab completes"
    return ">12 … answers post 12 · @ tells an agent · Tab for another"
