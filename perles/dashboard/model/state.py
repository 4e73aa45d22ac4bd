"""What the dashboard is: its state, what it sees of the database, what it wants done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, NamedTuple

from perles.controlplane.held_reads import Totals
from perles.dashboard.model.attention import NOBODY as NOBODY
from perles.dashboard.model.attention import Attention as Attention
from perles.dashboard.model.attention import attention as attention
from perles.dashboard.model.diff import Diff
from perles.dashboard.model.editor import Editor
from perles.dashboard.model.form import Form
from perles.dashboard.model.jump import Jump, Target
from perles.dashboard.model.nodes import Nodes
from perles.dashboard.model.preview import Preview
from perles.domain.patterns import lazy_pattern
from perles.domain.records import dataclass

_NUMBER: Final = lazy_pattern("[0-9]{1,4}")

HISTORY: Final = 50
FIRST: Final = 300
"""Records of a tab that are read at first."""
MOST: Final = 20_000
"""Records of one tab that are ever read."""
MOST_AT_ONCE: Final = 1000
"""Records of the journal that are read at once: beyond them, the window on it slides."""


class Effect(NamedTuple):
    """Something to be done outside: `kind` is quit, suspend, engine, do, send, create, …"""

    kind: str
    args: Mapping[str, Any] = {}


class Notice(NamedTuple):
    """What the status line says; `style` is good, warn, bad or muted."""

    text: str
    style: str = "muted"


@dataclass(frozen=True, slots=True)
class Table:
    """The list of workflows: which row is selected, what is shown, in which order."""

    cursor: int = 0
    cursor_id: str | None = None
    top: int = 0
    filter: Editor = field(default_factory=Editor)
    typing: bool = False
    sort: str = "created"
    marked: frozenset[str] = frozenset()


class Place(NamedTuple):
    """A line of a tab: the record it belongs to, by its key, and which of its lines."""

    key: int
    line: int


class Anchor(NamedTuple):
    """A line to be scrolled into sight; None for the first one that has what is searched."""

    key: int
    line: int | None
    row: str = "middle"


class Seek(NamedTuple):
    """A search in what is not read, or for the next event where `text` is empty.

    `step` 1 looks at older events, -1 at newer ones; it began at `first` and is at `at`.
    """

    text: str
    step: int
    at: int
    first: int
    share: float = 0.0
    row: str = "middle"


@dataclass(frozen=True, slots=True)
class Detail:
    """One workflow's inside. `up` counts lines above the end: 0 follows the tail.

    After scrolling back the view stays: events after `until` are not shown then.
    `slid` tells that there are more of them, and that the end of what is read is not the tail.
    """

    workflow_id: str
    tab: str = "coordinator"
    up: int = 0
    until: int | None = None
    limit: int = FIRST
    slid: bool = False
    seek: Seek | None = None
    found: Place | None = None
    """The match that one is at."""
    anchor: Anchor | None = None
    at_top: bool = False
    """Whether the first line of what is read is in sight."""
    whole: bool = False
    """Whether tool calls and their results are unfolded."""
    search: Editor = field(default_factory=Editor)
    searching: bool = False
    typing: bool = False
    to: str = "coordinator"
    """The addressee: an agent, or `#general`."""
    channel: str = "general"
    """The channel that the tab of channels shows."""
    task: str | None = None
    opened: bool = False
    """The task that is selected in the tab of tasks, and whether all of it is shown."""
    input: Editor = field(default_factory=Editor)
    recalled: int = 0


Entry = tuple[int, str, str]
"""What tells rows of the inbox apart: seq, workflow, task."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits for a person. `answer` is set while an answer is typed.

    `entry` names the row that is selected: others may come above it at any time.
    """

    cursor: int = 0
    entry: Entry | None = None
    answer: Editor | None = None
    verb: str = "approve"


@dataclass(frozen=True, slots=True)
class Question:
    """A dialog that asks before something is done."""

    verb: str
    ids: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """Everything that keys change. Never holds what the database knows."""

    screen: str = "table"
    table: Table = field(default_factory=Table)
    detail: Detail | None = None
    diff: Diff | None = None
    inbox: Inbox = field(default_factory=Inbox)
    nodes: Nodes = field(default_factory=Nodes)
    form: Form | None = None
    jump: Jump | None = None
    question: Question | None = None
    help: bool = False
    help_top: int = 0
    notice: Notice = field(default_factory=lambda: Notice(""))
    history: tuple[str, ...] = ()
    drafts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What was written and not sent, by workflow and agent."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Up to where the inbox was looked at, by workflow."""
    heard: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    """Up to when an agent's tab was looked at, by workflow and agent."""
    read: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Up to which post a channel was looked at here, by workflow and channel."""
    engine_wanted: bool = True
    mouse: bool = True
    """Whether clicks and the wheel come here, rather than to who selects text."""


class Inside(NamedTuple):
    """What is read of the workflow that the detail shows."""

    row: Mapping[str, Any]
    agents: Sequence[Mapping[str, Any]] = ()
    tasks: Sequence[Mapping[str, Any]] = ()
    tab: str = ""
    body: Sequence[Any] = ()
    """The records of that tab."""
    last: int = 0
    """The newest event of all, when this was read."""
    more: bool = False
    """Whether older records may be there than `body` has."""
    channels: Sequence[Mapping[str, Any]] = ()
    """The channels, with how much of each was not read."""
    more_tasks: int = 0
    """How many tasks there are beside those in `tasks`."""
    below: int = 0
    """How many records came since one scrolled back; `dashboard_views.MANY` at most."""


class View(NamedTuple):
    """What was read last: all that frames show and keys act upon."""

    ids: Sequence[str] = ()
    rows: Mapping[str, Mapping[str, Any]] = {}
    total: int = 0
    totals: Totals = Totals()
    limits: Mapping[str, float] = {}
    inside: Inside | None = None
    preview: Preview | None = None
    targets: tuple[Target, ...] = ()
    """What fits the name that one goes to, the best first."""
    waiting: Sequence[Mapping[str, Any]] = ()
    attention: Attention = NOBODY
    cluster: Mapping[str, Any] | None = None
    """How the engine stands with its cluster; None without one."""
    nodes: Sequence[Mapping[str, Any]] = ()
    """The nodes, while they are shown."""
    engine: bool = True
    work: bool = False
    """Whether a workflow runs or waits to be started."""
    trouble: str = ""
    """What keeps the engine that runs from its work."""
    banner: str = ""
    now: float = 0.0
    size: tuple[int, int] = (80, 24)


Result = tuple[State, tuple[Effect, ...]]

TABS_AFTER: Final = ("messages", "channels", "tasks", "timeline", "events", "log")
SHALLOW: Final = frozenset(TABS_AFTER) - {"events"}
"""Tabs that are no window on the journal: all they have is read."""


def tabs_of(view: View) -> list[str]:
    """The tabs of the detail: agents', then the rest, then those of agents that are retired."""
    agents = view.inside.agents if view.inside else ()
    names = [agent["name"] for agent in agents if agent["status"] != "retired"]
    retired = [agent["name"] for agent in agents if agent["status"] == "retired"]
    return [*(names or ([] if retired else ["coordinator"])), *TABS_AFTER, *retired]


def offered(state: State, view: View) -> tuple[Target, ...]:
    """Where one can go with what is typed; first the tab of that number, in a workflow."""
    text = state.jump.text.text.strip() if state.jump else ""
    if state.detail is None or state.screen != "detail" or not _NUMBER.fullmatch(text):
        return view.targets
    tabs, number = tabs_of(view), int(text)
    if not 0 < number <= len(tabs):
        return view.targets
    tab = Target("tab", tabs[number - 1], state.detail.workflow_id, f"tab {number}")
    return (tab, *view.targets)


def scrolled(detail: Detail, up: int, inside: Inside | None) -> Detail:
    """The detail a number of lines above the end; at the end, it follows what comes."""
    if up <= 0:
        return replace(detail, up=0, until=detail.until if detail.slid else None)
    until = detail.until if inside is None or detail.until is not None else inside.last
    return replace(detail, up=up, until=until)


def oldest(detail: Detail, inside: Inside | None) -> int | None:
    """The first event that is read of a tab; None where it is none of the journal's."""
    if inside is None or detail.tab in SHALLOW or inside.tab != detail.tab:
        return None
    return next((record.key for record in inside.body if record.key > 0), None)


def selected_id(state: State, view: View) -> str | None:
    """The workflow that keys act on."""
    shown = {"detail": state.detail, "diff": state.diff}.get(state.screen)
    if shown is not None:
        return shown.workflow_id
    if state.screen == "inbox":
        row = waiting_row(state, view)
        return None if row is None or row["workflow_id"] is None else str(row["workflow_id"])
    if not view.ids:
        return None
    return view.ids[min(state.table.cursor, len(view.ids) - 1)]


def waiting_row(state: State, view: View) -> Mapping[str, Any] | None:
    """The row of the inbox that is selected; while its answer is typed, none other."""
    place = waiting_place(state, view)
    return None if place is None else view.waiting[place]


def waiting_place(state: State, view: View) -> int | None:
    """Where the selected row of the inbox stands."""
    inbox = state.inbox
    if inbox.entry is not None:
        for place, row in enumerate(view.waiting):
            if entry_of(row) == inbox.entry:
                return place
        if inbox.answer is not None:
            return None
    return min(inbox.cursor, len(view.waiting) - 1) if view.waiting else None


def entry_of(row: Mapping[str, Any]) -> Entry:
    """What tells this row of the inbox from others."""
    return row["seq"], str(row["workflow_id"]), str(row["task"])


def is_first(view: View) -> bool:
    """Whether there is no workflow yet, so that the screen asks for a goal."""
    return not view.total and not view.banner


def table_rows(size: tuple[int, int]) -> int:
    """How many workflows the table has room for: all but top line, header, status and footer."""
    return max(1, size[1] - 4)
