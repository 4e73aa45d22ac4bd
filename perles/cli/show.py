"""`perles show`: one workflow in full."""

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from perles.cli.list import warn_unattended
from perles.cli.output import between, print_json, print_table, say, tell, warn
from perles.config.home import Paths
from perles.controlplane.quick import Json, Reads
from perles.domain.duration import span
from perles.domain.explanations import moment, why
from perles.domain.money import in_words, is_unknown
from perles.domain.task_story import cut_off, foremost, standing
from perles.domain.text import clean

TASK_HEADERS = ("TASK", "STATUS", "ASSIGNEE", "ATTEMPT", "EXIT", "TIME", "NOTE")
AGENT_HEADERS = ("AGENT", "STATUS", "PHASE", "TASK", "PID", "QUEUED")
TAIL_LINES = 10
MOST_FAILURES = 20
ENDED = ("completed", "failed", "stopped")


class ShowOptions(NamedTuple):
    """What was asked for on the command line."""

    id: str
    json: bool = False
    summary: bool = False
    env: bool = False
    all: bool = False


def run(options: ShowOptions, paths: Paths) -> None:
    """Print the workflow."""
    if options.summary:
        _summary(options, paths)
        return
    reads = Reads(paths)
    shown = reads.get(options.id)
    warn_unattended([shown])
    if options.env:
        variables = reads.variables_of(shown["id"])
        for task in shown["tasks"]:
            task["surroundings"]["env"] = variables[task["key"]]
    if options.json:
        print_json(shown)
        return
    if options.env:
        _print_surroundings(shown["tasks"])
        return
    _print_head(shown, reads)
    print()
    tasks = shown["tasks"] if options.all else foremost(shown["tasks"])
    print_table(TASK_HEADERS, [_task_row(task) for task in tasks], state=1)
    if shown["agents"]:
        print()
        print_agents(shown["agents"])
    print_failures(shown)
    if len(tasks) < len(shown["tasks"]):
        more = len(shown["tasks"]) - len(tasks)
        warn(f"… and {more} more tasks: perles show {shown['id']} --all")


def watch(options: ShowOptions, paths: Paths) -> None:
    """Print the workflow every second, on a terminal always on top, until it has ended."""
    terminal = sys.stdout.isatty()
    reads = Reads(paths)
    workflow_id = reads.registry.resolve(options.id)
    while True:
        over = reads.state_of(workflow_id) in ENDED
        if terminal:
            print("\x1b[H\x1b[2J", end="")
        run(options._replace(id=workflow_id), paths)
        sys.stdout.flush()
        if over:
            return
        time.sleep(1)


def _print_surroundings(tasks: list[Json]) -> None:
    """Where each task runs, and with which variables beside those of the workflow."""
    for task in tasks:
        told = task["surroundings"]
        lines = [f"dir {told['dir']}"] if told["dir"] else []
        lines += [f"dotenv {name}" for name in told["dotenv"]]
        lines += [f"unset {name}" for name in told["unset"]]
        lines += [f"secret {name}" for name in told["secrets"]]
        lines += [f"check {command}" for command in told["check"]]
        lines += [f"{name}={value}" for name, value in sorted(told["env"].items())]
        say("\n  ".join((task["key"], *(clean(line) for line in lines))))


def _summary(options: ShowOptions, paths: Paths) -> None:
    """What it came to."""
    found = Reads(paths).summary(options.id)
    if options.json:
        print_json(found)
        return
    from perles.domain.summary_text import summary_text

    tell(summary_text(found).rstrip("\n"))


def _print_head(shown: Json, reads: Reads) -> None:
    lines = [
        ("workflow", f"{shown['id']}  {clean(shown['name'])}"),
        ("state", shown["state"] + (f": {why(shown)}" if why(shown) else "")),
        ("engine", shown["unattended"] or ""),
        ("attention", shown["attention"] if shown["state"] in ("running", "paused") else ""),
        *_waits(shown),
        (
            "template",
            f"{shown['template_id']}  ({shown['provider']}, {shown['priority']} priority)",
        ),
        ("work dir", _folder(shown)),
        ("shell", _shells(shown["tasks"])),
        ("branch", _branch(shown["worktree"])),
        ("labels", " ".join(f"{key}={value}" for key, value in shown["labels"].items())),
        ("created", shown["created_at"]),
        ("started", _started(shown)),
        ("tokens", _tokens(shown)),
        ("nudges", _nudges(shown["nudges"])),
        ("session", _session(shown, reads)),
    ]
    for name, value in lines:
        if value:
            say(f"{name:<9} {clean(value)}")


def _shells(tasks: list[Json]) -> str:
    """What runs the commands, each program with its flags once."""
    return ", ".join(dict.fromkeys(clean(" ".join(t["shell"])) for t in tasks if t["shell"]))


def _session(shown: Json, reads: Reads) -> str:
    """The session folder, and where that is where it is not in this home."""
    folder = shown["session_dir"] or ""
    if not folder or Path(folder).is_dir() or (host := reads.machine_of_outputs()) is None:
        return folder
    place = os.path.relpath(folder, reads.paths.root)
    return f"{place} in the home of the engine that ran it, on {host}; it is not in this home"


def _folder(shown: Json) -> str:
    folder = str(shown["work_dir"])
    gone = shown["worktree"] is not None and shown["ended_at"] and not Path(folder).is_dir()
    return folder + (" (removed; its branch stays)" if gone else "")


def _branch(worktree: Json | None) -> str:
    if worktree is None:
        return ""
    base = f" from {worktree['base_branch']}" if worktree["base_branch"] else ""
    merged = worktree["merged"]
    done = f", merged into {merged['into']} as {merged['commit'][:12]}" if merged else ""
    pull = f", {worktree['pull_request']['url']}" if worktree["pull_request"] else ""
    return f"{worktree['branch']}{base}{done}{pull}"


def _waits(shown: Json) -> list[tuple[str, str]]:
    """A line for each thing that it does or waits for, but not what `attention` says already."""
    texts = [text for text in shown["waits_for"] if text != shown["attention"]]
    return [("" if at else "now", text) for at, text in enumerate(texts)]


def _nudges(nudges: Json) -> str:
    if not nudges["count"]:
        return ""
    tokens = nudges["tokens"]
    return f"{nudges['count']}, {tokens} tokens, {in_words(nudges['cost_usd'], tokens)}"


def _started(shown: Json) -> str:
    if shown["started_at"] is None:
        return ""
    ended = f", ended {shown['ended_at']}" if shown["ended_at"] else ""
    return f"{shown['started_at']}{ended} ({span(shown['uptime_s'])})"


def _tokens(shown: Json) -> str:
    if not any(shown[key] for key in ("tokens_used", "token_budget", "cost_budget")):
        return ""
    tokens = f" of {shown['token_budget']}" if shown["token_budget"] else ""
    money = f" of {shown['cost_budget']:.2f}" if shown["cost_budget"] else ""
    if is_unknown(shown["cost_usd"], shown["tokens_used"]):
        limit = f" (budget {shown['cost_budget']:.2f} USD)" if money else ""
        return f"{shown['tokens_used']}{tokens}, cost unknown{limit}"
    cost = in_words(shown["cost_usd"], shown["tokens_used"], shown["agents"])
    return f"{shown['tokens_used']}{tokens}, {cost.removesuffix(' USD')}{money} USD"


def _task_row(task: Json) -> list[str]:
    tries = f"{task['attempt']}/{task['retries'] + 1}" if task["attempt"] else "-"
    note = task["failure"] or "; ".join(filter(None, (cut_off(task), _when(task))))
    note = standing(task) or note
    if task["held_until"]:
        note = f"again {moment(task['held_until'])}, after {note}"
    return [
        task["key"],
        task["status"],
        task["assignee"] or "-",
        tries,
        "-" if task["exit_code"] is None else str(task["exit_code"]),
        span(between(task["started_at"], task["ended_at"])),
        note,
    ]


def _when(task: Json) -> str:
    """When a task runs: after which ones, on which condition, or last of all."""
    parts = [
        f"after {', '.join(task['after'])}" if task["after"] else "",
        f"when {task['when']}" if task["when"] not in (None, "always") else "",
        "finally" if task["finally"] else "",
    ]
    return "; ".join(filter(None, parts))


def print_agents(agents: list[Json]) -> None:
    """The agents, with their nodes where any is on another machine."""
    rows, headers = [_agent_row(agent) for agent in agents], list(AGENT_HEADERS)
    if any(agent["node"] for agent in agents):
        headers.append("NODE")
        rows = [[*row, _node(agent)] for row, agent in zip(rows, agents, strict=True)]
    print_table(headers, rows, state=1)


def _node(agent: Json) -> str:
    node = agent["node"] or "-"
    return f"{node} (unreachable)" if agent["unreachable"] else node


def _agent_row(agent: Json) -> list[str]:
    return [
        agent["name"],
        "waits for a call" if agent["turn_status"] == "queued" else agent["status"],
        agent["phase"],
        agent["task"] or "-",
        str(agent["pid"] or "-"),
        str(agent["queued_messages"]),
    ]


def print_failures(shown: Json) -> None:
    """The last lines of the first `MOST_FAILURES` failed tasks, and how many more there are."""
    failed = [task for task in shown["tasks"] if task["status"] == "failed"]
    failed.sort(key=lambda task: bool(task["tolerated"]))
    for task in failed[:MOST_FAILURES]:
        why = f": {clean(task['failure'])}" if task["failure"] else ""
        say(f"\n{task['key']} failed{why}{'; its last lines:' if task['output_tail'] else ''}")
        for line in task["output_tail"][-TAIL_LINES:]:
            say(f"  {clean(line)}")
    if len(failed) > MOST_FAILURES:
        more = len(failed) - MOST_FAILURES
        say(f"\n… {more} more failed: perles tasks {shown['id']} TASK shows one in full")
