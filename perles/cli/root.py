"""All commands, each with the module that holds it, and the help of `perles` itself.

A command's module is imported when it is called: the parser's library alone takes longer than
this help. A test compares the words here with those of the commands.
"""

import os
from typing import Final, NamedTuple


class Entry(NamedTuple):
    """A command, or a group of them, is `attribute` in `perles.cli.<module>`."""

    name: str
    module: str
    attribute: str
    help: str


GROUPS: Final[dict[str, tuple[Entry, ...]]] = {
    "Workflows": (
        Entry(
            "run",
            "run",
            "command",
            "Run a workflow to its end: exit 0 completed, 1 failed or stopped.",
        ),
        Entry(
            "create",
            "create",
            "command",
            "Create a workflow and print its id; `perles start` starts it.",
        ),
        Entry(
            "start",
            "lifecycle",
            "start",
            "Start pending workflows; beyond a limit they wait and start by themselves.",
        ),
        Entry(
            "pause",
            "lifecycle",
            "pause",
            "Pause running workflows: agents are interrupted, nothing is lost.",
        ),
        Entry(
            "resume",
            "lifecycle",
            "resume",
            "Go on with paused workflows; beyond a limit they wait in line, still paused.",
        ),
        Entry("stop", "lifecycle", "stop", "End workflows for good: no process of theirs is left."),
        Entry(
            "fail", "lifecycle", "fail", "End workflows as failed: no process of theirs is left."
        ),
        Entry(
            "retry",
            "lifecycle",
            "retry",
            "Create new workflows that go on where failed or stopped ones ended.",
        ),
        Entry(
            "archive",
            "lifecycle",
            "archive",
            "Put ended workflows out of sight; list --all still shows them.",
        ),
        Entry(
            "set",
            "set",
            "command",
            "Change priority or budgets; what waits in line is put in its new order at once.",
        ),
    ),
    "Look": (
        Entry("list", "read", "list_", "List workflows, newest first."),
        Entry(
            "show",
            "read",
            "show",
            "Show one workflow: its tasks, its agents, and why it stands where it stands.",
        ),
        Entry(
            "agents",
            "agents",
            "command",
            "List agents: of one workflow, or of all that run or are paused.",
        ),
        Entry("tasks", "tasks", "tasks", "List tasks, of one workflow or of all."),
        Entry("events", "read", "events", "Print events: what happened, in order."),
        Entry("logs", "logs", "command", "Print what agents printed, turn by turn."),
        Entry(
            "resources", "resources_app", "app", "Limits: what is used, who holds it, who waits."
        ),
        Entry("inbox", "inbox", "app", "What waits for you, over all workflows."),
        Entry(
            "doctor",
            "doctor",
            "command",
            "Tell what is wrong and what to do about it: exit 1 when there is a problem.",
        ),
        Entry(
            "dashboard",
            "dashboard",
            "command",
            "Look after all workflows on one screen; ? tells the keys.",
        ),
    ),
    "Answer": (
        Entry(
            "approve",
            "tasks",
            "approve",
            "Say yes to a task that waits for you: what depends on it goes on.",
        ),
        Entry(
            "deny",
            "tasks",
            "deny",
            "Say no to a task that waits for you: it fails, and what depends on it is skipped.",
        ),
        Entry(
            "send", "send", "command", "Send a message to an agent; it reads it at its next turn."
        ),
        Entry(
            "agent", "agent", "app", "Add, stop, resume, retire or replace one agent of a workflow."
        ),
    ),
    "Set up": (
        Entry("config", "config", "app", "The configuration."),
        Entry("templates", "templates", "app", "Templates of workflows."),
        Entry("providers", "providers", "app", "Agent CLIs: which are here, what each can do."),
        Entry(
            "trust", "trust", "command", "Trust a repository's .perles/config.yaml as it is now."
        ),
        Entry(
            "serve",
            "serve",
            "command",
            "Host the engine of this database until Ctrl-C; running workflows are paused then.",
        ),
        Entry("engine", "engine", "app", "The engine: the one process that runs workflows."),
        Entry(
            "maintenance",
            "upkeep",
            "app",
            "Upkeep, fit for cron: one run at a time, quiet when all is well.",
        ),
        Entry("db", "database", "app", "The database file."),
    ),
}
ENTRIES: Final = {entry.name: entry for entries in GROUPS.values() for entry in entries}
ABOUT: Final = "Run many workflows of AI coding agents, or of plain commands, on one machine."
_OPTIONS: Final = (
    ("--config FILE", "Configuration file to use alone."),
    ("--version", "Say the version."),
    ("--install-completion", "Install completion for the current shell."),
    ("--show-completion", "Show completion for the current shell."),
    ("-h, --help", "Show this message and exit."),
)
_EXAMPLES: Final = (
    ("perles run build.yaml", "run the tasks of a file to their end"),
    ('perles run "fix the failing test"', "let agents work towards a goal"),
    ("perles dashboard", "look after all workflows"),
)
_WIDEST: Final = 100


def root_help() -> str:
    """What `perles --help` prints, fit for this terminal."""
    width = min(_columns(), _WIDEST)
    lines = ["Usage: perles [OPTIONS] COMMAND [ARGS]...", "", *_wrapped(ABOUT, width), ""]
    for title, entries in GROUPS.items():
        lines += [f"{title}:", *_rows([(entry.name, entry.help) for entry in entries], width), ""]
    lines += ["Options:", *_rows(_OPTIONS, width), ""]
    lines += ["Examples:", *_rows(_EXAMPLES, width), ""]
    lines.append("perles COMMAND --help tells more of each.")
    return "\n".join(lines) + "\n"


def _columns() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told[:6]) >= 20:
        return int(told[:6])
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def _rows(pairs: "list[tuple[str, str]] | tuple[tuple[str, str], ...]", width: int) -> list[str]:
    """Two columns, the second one wrapped."""
    first = max(len(name) for name, _ in pairs) + 2
    lines = []
    for name, text in pairs:
        head, *rest = _wrapped(text, max(20, width - first - 2))
        lines += [f"  {name:<{first}}{head}", *(" " * (first + 2) + line for line in rest)]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines
