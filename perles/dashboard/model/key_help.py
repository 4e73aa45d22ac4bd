"""What each key does, as data: the help and the footers are made of it."""

from __future__ import annotations

from typing import Final, NamedTuple


class Binding(NamedTuple):
    """Keys and what they do; `short` is for the footer, where it stands there.

    `each` tells what each of the keys does by itself, where they do not do the same.
    """

    keys: str
    text: str
    short: str = ""
    each: tuple[str, ...] = ()


_PRIORITY: Final = Binding(
    "+ -", "raise, lower the priority", each=("raise the priority", "lower the priority")
)
TABLE: Final = (
    Binding("j k ↓ ↑", "one row down, up"),
    Binding("g G Home End", "first, last row"),
    Binding("PageUp PageDown", "a screenful up, down"),
    Binding("Enter Tab", "open the workflow; its preview is below", "open"),
    Binding("s", "start, or go on with a paused one", "start"),
    Binding("p", "pause", "pause"),
    Binding("x", "stop; asks first", "stop"),
    Binding(
        *("n N", "new workflow; N starts it too", "new"),
        each=("new workflow", "new workflow, started at once"),
    ),
    Binding("i", "inbox: what waits for you", "inbox"),
    Binding("D", "diff: what it changed in its worktree"),
    Binding("C", "cluster: its nodes, and which turns run there"),
    Binding("r", "retry one that failed or was stopped"),
    Binding("a", "archive one that has ended"),
    Binding("Space", "mark; s p x r a act on all marked", "mark"),
    _PRIORITY,
    Binding("/", "filter: text, state:running label:team=red agent:codex cost:>2", "filter"),
    Binding("1 2 3 4 5 6", "only running, pending, paused, failed, completed, stopped; again: all"),
    Binding("Esc", "clear the filter, then the marks"),
    Binding(
        *("o O", "sort by the next, the previous column", "sort"),
        each=("sort by the next column", "sort by the previous column"),
    ),
    Binding("!", "go to the next that needs you; • has something new"),
    Binding(":", "go to anything by name: workflow, agent, task, channel, setting, command"),
    Binding("y", "copy the id (OSC 52)"),
    Binding("E", "start an engine; it ends when all is done"),
    Binding("?", "this help", "help"),
    Binding("q Ctrl-C", "quit; agents go on", "quit"),
    Binding("M", "leave the mouse to the terminal, to select text; take it"),
    Binding("Ctrl-L Ctrl-Z", "draw anew; to the shell and back with fg"),
)
DETAIL: Final = (
    Binding("Tab h l", "next, previous tab", "tabs"),
    Binding("1-9", "that tab; : with its number or name for any of them"),
    Binding(":", "go to anything by name, here and elsewhere"),
    Binding("j k PageUp PageDown", "scroll", "scroll"),
    Binding("g G", "to the beginning; to the end, and follow"),
    Binding("/ then n N", "search all of it; older, newer match", "search"),
    Binding("t", "tool calls and results whole; folded"),
    Binding("y", "copy what was said last, or the match one is at (OSC 52)"),
    Binding("m Enter", "write to an agent, or in a channel", "write"),
    Binding("j k Enter", "in the tab tasks: select one; all of it, and back"),
    Binding(
        *("c C", "next, previous channel, in the tab channels"),
        each=("next channel, in the tab channels", "previous channel, in the tab channels"),
    ),
    Binding("D", "diff: what it changed, and comments on lines of it", "diff"),
    Binding(
        *("s p x r a", "start, pause, stop, retry, archive"),
        each=("start", "pause", "stop", "retry", "archive"),
    ),
    _PRIORITY,
    Binding("!", "the next workflow that needs you"),
    Binding("?", "this help", "help"),
    Binding("Esc", "end a long search; else back", "back"),
    Binding("q", "quit", "quit"),
)
CHAT: Final = (
    Binding("Enter", "send", "send"),
    Binding("Alt-Enter Ctrl-J", "new line", ""),
    Binding("Tab", "next agent or channel; completes an order, an @name", "to whom"),
    Binding(">12 TEXT", "in a channel: answer post 12"),
    Binding("↑ ↓", "what was sent before", "history"),
    Binding("/stop /pause /resume", "act on the workflow"),
    Binding("/spawn [PROVIDER]", "one worker more"),
    Binding("/stop AGENT [WHY]", "one agent; so do /resume /retire /replace"),
    Binding("Esc", "leave; each agent's draft stays", "leave"),
)
INBOX: Final = (
    Binding("j k", "move", "move"),
    Binding("y", "approve, with a note", "approve"),
    Binding("d", "deny, with a reason", "deny"),
    Binding("m", "answer: a message to the coordinator", "answer"),
    Binding("a", "take note: it leaves the inbox", "note"),
    Binding("Enter", "open the workflow", "open"),
    Binding("?", "this help", "help"),
    Binding("Esc i", "back", "back"),
)
NODES: Final = (
    Binding("j k", "move", "move"),
    Binding("d", "drain: it gets no more turns", "drain"),
    Binding("r", "resume: it gets turns again", "resume"),
    Binding("Enter", "open the workflow that runs there", "open"),
    Binding("?", "this help", "help"),
    Binding("Esc C", "back", "back"),
)
DIFF: Final = (
    Binding("j k PageUp PageDown", "one line; a screenful", "move"),
    Binding("Tab Shift-Tab", "next, previous file", "file"),
    Binding("] [", "next, previous hunk", "hunk"),
    Binding("c m Enter", "comment on the line: a message to an agent", "comment"),
    Binding("/ then n N", "search; next, previous match", "search"),
    Binding("h l ← →", "sideways"),
    Binding("R", "read it again", "again"),
    Binding("?", "this help", "help"),
    Binding("Esc", "back", "back"),
)
FORM: Final = (
    Binding("Tab ↓ ↑", "next, previous field", "next"),
    Binding("← → Space", "choose", "choose"),
    Binding("Ctrl-S", "create", "create"),
    Binding("Esc", "back; what is being created goes on", "back"),
)
FIND: Final = (
    Binding("↓", "", "next"),
    Binding("Enter", "", "choose"),
    Binding("Esc", "", "back"),
)
JUMP: Final = (
    Binding("Enter", "", "go there"),
    Binding("↓", "", "next"),
    Binding("Esc", "", "stay"),
)
FILTER: Final = (
    Binding("↓", "", "move"),
    Binding("Enter", "", "keep the filter"),
    Binding("Esc", "", "clear it"),
)
SEARCH: Final = (Binding("Enter", "", "search"), Binding("Esc", "", "clear"))
COMMENT: Final = (
    Binding("Enter", "", "send"),
    Binding("Tab", "", "to whom"),
    Binding("Esc", "", "leave"),
)
ANSWER: Final = (Binding("Enter", "", "send"), Binding("Esc", "", "leave"))
ASKED: Final = (
    Binding("y", "", "stop"),
    Binding("f", "", "kill at once"),
    Binding("Esc", "", "leave it"),
)
GROUPS: Final = (
    ("Workflows", TABLE),
    ("One workflow", DETAIL),
    ("Writing", CHAT),
    ("Inbox", INBOX),
    ("Nodes", NODES),
    ("Diff", DIFF),
    ("New workflow", FORM),
)
