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
            "begin",
            "run",
            "Run a workflow to its end: exit 0 completed, 1 failed or stopped.",
        ),
        Entry(
            "create",
            "begin",
            "create",
            "Create a workflow and print its id; `perles start` starts it.",
        ),
        Entry(
            "start",
            "lifecycle",
            "start",
            "Start pending workflows. When a limit is reached they wait in line.",
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
            "Resume paused workflows. When a limit is reached they wait in line, still paused.",
        ),
        Entry(
            "stop", "lifecycle", "stop", "Stop workflows for good and end all of their processes."
        ),
        Entry("fail", "lifecycle", "fail", "End workflows as failed, with all of their processes."),
        Entry(
            "retry",
            "lifecycle",
            "retry",
            "Create workflows that continue where failed or stopped ones ended.",
        ),
        Entry(
            "archive",
            "lifecycle",
            "archive",
            "Archive ended workflows; list --all still shows them.",
        ),
        Entry(
            "wait",
            "wait",
            "command",
            "Wait until workflows end, or reach a state.",
        ),
        Entry(
            "attach",
            "attach",
            "command",
            "Follow a workflow to its end, as `perles run` shows it; Ctrl-C detaches.",
        ),
        Entry(
            "rename",
            "describe",
            "rename",
            "Rename a workflow in any state.",
        ),
        Entry(
            "label",
            "describe",
            "label",
            "Add labels to workflows, and remove labels.",
        ),
        Entry(
            "rm",
            "remove",
            "command",
            "Remove workflows that have ended, with their sessions and worktrees.",
        ),
        Entry(
            "set",
            "set",
            "command",
            "Change priority or budgets; the waiting line is reordered at once.",
        ),
    ),
    "Inspect": (
        Entry(
            "artifacts",
            "artifacts",
            "command",
            "List the artifacts of a workflow, or copy them to a folder.",
        ),
        Entry("list", "read", "list_", "List workflows, newest first."),
        Entry(
            "show",
            "read",
            "show",
            "Show one workflow: its tasks, its agents, and the reason for its state.",
        ),
        Entry(
            "agents",
            "agents",
            "command",
            "List the agents of one workflow, or of all running and paused ones.",
        ),
        Entry(
            "tasks",
            "tasks",
            "tasks",
            "List tasks of one workflow or of all, show one in full, or export them.",
        ),
        Entry("events", "read", "events", "Print events in order."),
        Entry("logs", "logs", "command", "Print the output of agents, turn by turn."),
        Entry(
            "posts",
            "posts",
            "posts",
            "Print what agents and people post in the channels of a workflow, in order.",
        ),
        Entry(
            "resources",
            "resources_app",
            "app",
            "Show limits with their holders and the waiting line, or their history; reset budgets.",
        ),
        Entry(
            "nodes",
            "nodes",
            "app",
            "List the machines of the cluster; drain one (no new turns), or resume it.",
        ),
        Entry("questions", "questions", "questions", "List questions of agents that wait for you."),
        Entry(
            "sessions", "sessions", "app", "List, show and open the session folders of workflows."
        ),
        Entry("inbox", "inbox", "app", "Show and acknowledge what waits for you in all workflows."),
        Entry(
            "doctor",
            "doctor",
            "command",
            "Report problems and what to do about them: exit 1 when there is one.",
        ),
        Entry(
            "dashboard",
            "dashboard",
            "command",
            "Watch and control all workflows on one screen; ? shows the keys.",
        ),
    ),
    "Answer": (
        Entry(
            "approve",
            "tasks",
            "approve",
            "Approve a task that waits for you; the tasks that depend on it can start.",
        ),
        Entry(
            "deny",
            "tasks",
            "deny",
            "Deny a task that waits for you: it fails, and tasks that depend on it are skipped.",
        ),
        Entry(
            "answer",
            "questions",
            "answer",
            "Answer an agent's question; it gets the answer as a message.",
        ),
        Entry(
            "send",
            "send",
            "command",
            "Send a message to an agent, which reads it in its next turn.",
        ),
        Entry(
            "post",
            "posts",
            "post",
            "Post in a channel of a workflow; @NAME notifies an agent, @here all of them.",
        ),
        Entry(
            "agent", "agent", "app", "Add, stop, resume, retire or replace one agent of a workflow."
        ),
    ),
    "Review and merge": (
        Entry(
            "diff",
            "diff",
            "command",
            "Show what a workflow with a worktree changed since its base, committed or not.",
        ),
        Entry(
            "merge",
            "merge",
            "merge",
            "Merge a workflow's branch; if anything is in the way, nothing changes.",
        ),
        Entry(
            "pr",
            "pr",
            "command",
            "Push a workflow's branch and open a pull request with gh or glab.",
        ),
        Entry(
            "rebase",
            "merge",
            "rebase",
            "Rebase the branch of a workflow onto its current base; the workflow must not run.",
        ),
        Entry(
            "overlap",
            "merge",
            "overlap",
            "List files with unmerged changes on the branches of two or more workflows.",
        ),
    ),
    "Set up": (
        Entry(
            "mcp",
            "mcp",
            "app",
            "Run an MCP server for your own agent, or install it in an agent's CLI.",
        ),
        Entry("config", "config", "app", "Show, check, write and reload the configuration."),
        Entry(
            "templates",
            "templates",
            "app",
            "List, show, check, draw and create templates of workflows; print their schema.",
        ),
        Entry(
            "providers",
            "providers",
            "app",
            "List agent CLIs and what each can do; test one, or end its hold.",
        ),
        Entry(
            "trust",
            "trust",
            "command",
            "Trust a repository's .perles/config.yaml in its current form.",
        ),
        Entry(
            "serve",
            "serve",
            "command",
            "Run the engine in this terminal. Ctrl-C pauses running workflows and ends it.",
        ),
        Entry(
            "node",
            "node",
            "app",
            "Run a node of a cluster on this machine, in this terminal; drain or resume one.",
        ),
        Entry(
            "token",
            "token",
            "app",
            "Create, list and revoke the tokens of HTTP clients.",
        ),
        Entry(
            "engine",
            "engine",
            "app",
            "Show or stop the engine, the process that runs workflows, or print its log.",
        ),
        Entry(
            "maintenance",
            "maintenance",
            "app",
            "Check, reconcile, prune, back up and vacuum the database; show its size.",
        ),
        Entry(
            "worktrees",
            "worktrees",
            "app",
            "List the worktrees of workflows, show their size, and clean up after ended ones.",
        ),
        Entry("db", "database", "app", "Upgrade, show, open or copy the database; print its path."),
    ),
}
ENTRIES: Final = {entry.name: entry for entries in GROUPS.values() for entry in entries}
ABOUT: Final = "Run many workflows of AI coding agents, or of plain commands, on one machine."
_OPTIONS: Final = (
    ("--config FILE", "Use only this configuration file."),
    ("--version", "Print the version."),
    ("--install-completion [SHELL]", "Install completion for bash, zsh or fish."),
    ("--show-completion [SHELL]", "Print the completion script for bash, zsh or fish."),
    ("-h, --help", "Show this message and exit."),
)
EXAMPLES: Final = (
    ("perles run build.yaml", "run the tasks of a file to their end"),
    ("perles run -d -- make test", "run a command in the background"),
    ('perles run "fix the failing test"', "give agents a goal"),
    ("perles dashboard", "watch and control all workflows"),
)
_WIDEST: Final = 100


def root_help() -> str:
    """What `perles --help` prints, fit for this terminal."""
    width = min(_columns(), _WIDEST)
    lines = ["Usage: perles [OPTIONS] COMMAND [ARGS]...", "", *_wrapped(ABOUT, width), ""]
    for title, entries in GROUPS.items():
        lines += [f"{title}:", *_rows([(entry.name, entry.help) for entry in entries], width), ""]
    lines += ["Options:", *_rows(_OPTIONS, width), ""]
    lines += ["Examples:", *_rows(EXAMPLES, width), ""]
    lines.append("perles COMMAND --help shows the options of each.")
    return "\n".join(lines) + "\n"


_FIRST: Final = ("run", "create", "list", "show", "logs", "inbox", "answer", "retry", "dashboard")
"""What most people need on most days."""


def short_help() -> str:
    """What `perles` alone prints: the way in."""
    width = min(_columns(), _WIDEST)
    lines = ["Usage: perles COMMAND [ARGS]...", "", *_wrapped(ABOUT, width), ""]
    lines += [*_rows([(name, ENTRIES[name].help) for name in _FIRST], width), ""]
    lines += ["Examples:", *_rows(EXAMPLES, width), ""]
    lines.append("perles --help lists every command, perles COMMAND --help the options of one.")
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
