"""The keys of the configuration: how each is read, and what it means."""

import shlex
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from perles.config import cluster, database, theme
from perles.config.model import Price
from perles.config.yamlfile import Node


class Option(NamedTuple):
    """One key of the file: where it goes, how its value is read, and what it means."""

    key: str
    section: str
    field: str
    read: Callable[[Node], Any]
    help: str


def _int(low: int, high: int | None = None) -> Callable[[Node], int]:
    return lambda node: node.integer(low, high)


def _prices(node: Node) -> dict[str, Price]:
    found = {}
    for model, price in node.mapping().items():
        entries = price.mapping(Price._fields)
        for name in ("input", "output"):
            if name not in entries:
                raise price.error(f"{name} is missing: USD for a million tokens")
        found[model] = Price(**{name: float(entry.amount()) for name, entry in entries.items()})
    return found


def _folder(node: Node) -> str:
    """A folder below the work dir."""
    path = PurePosixPath(node.text())
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise node.error("must be a folder below the work dir, such as docs/proposals")
    return str(path)


def _words(node: Node) -> tuple[str, ...]:
    """A list of words; in a variable, or as one text, separated as a shell does it."""
    if not isinstance(node.value, str):
        return tuple(item.text() for item in node.items())
    try:
        return tuple(shlex.split(node.value))
    except ValueError as error:
        raise node.error(f"cannot be split into words: {error}") from None


def _event_types(node: Node) -> tuple[str, ...]:
    """Globs of types that events can have."""
    from perles.domain.events import misses  # most configurations tell nobody

    found = _words(node)
    wrong = next((why for why in map(misses, found) if why), None)
    if wrong is not None:
        raise node.error(wrong)
    return found


def _database(node: Node) -> str:
    """Which database, without a password: what connects to it reads the URL by itself."""
    url = database.checked(node.text(), node.where)
    return "sqlite" if url is None else database.shown(url)


RESOURCE: Final = "orchestration.control_plane.resource_policy"
_HEALTH: Final = "orchestration.control_plane.health_policy"
_ON_EXHAUSTED: Final = ("fail", "pause", "alert")
_ON_BUDGET: Final = ("fail", "pause")

ENGINE_SECTIONS: Final = frozenset(
    {"resource_policy", "health_policy", "timeouts", "limits", "notify", "retention"}
    | {"worktree_space", "http", "cluster", "database"}
)
"""What belongs to the engine: it counts only in the user's own file."""
TABLE: Final[dict[str, tuple[str, dict[str, tuple[Callable[[Node], Any], str]]]]] = {
    "resource_policy": (
        RESOURCE,
        {
            "max_workflows_running": (_int(1), "running workflows"),
            "max_workers": (_int(1), "live workers in all workflows"),
            "max_ai_calls": (_int(1), "concurrent turns of AI agents"),
            "token_budget": (_int(0), "token budget of all workflows; 0 means no limit"),
            "port_range_start": (_int(1024, 65535), "first port for the workflows' servers"),
            "port_range_end": (_int(1024, 65535), "last port, inclusive"),
            "cost_budget": (Node.amount, "budget of all workflows in USD; 0 means no limit"),
            "on_budget_exhausted": (
                lambda node: node.word(_ON_BUDGET),
                "fail or pause, when a budget is used up",
            ),
            "prices": (
                _prices,
                "by model or provider, for CLIs that report no cost: "
                "{input: 3, output: 15, cached: 0.3}, USD per million tokens",
            ),
        },
    ),
    "health_policy": (
        _HEALTH,
        {
            "heartbeat_timeout": (Node.duration, "degraded after this time without an event"),
            "progress_timeout": (Node.duration, "stuck after this time without progress"),
            "max_recoveries": (_int(0), "recovery steps before on_exhausted"),
            "enable_auto_nudge": (Node.boolean, "nudge the coordinator of a stuck workflow"),
            "recovery_backoff": (Node.duration, "time between recovery steps"),
            "max_nudges": (_int(0), "nudges before the next step"),
            "enable_auto_replace": (Node.boolean, "replace an agent that hangs"),
            "enable_auto_pause": (Node.boolean, "pause a stuck workflow"),
            "on_exhausted": (lambda node: node.word(_ON_EXHAUSTED), "fail, pause or alert"),
        },
    ),
    "timeouts": (
        "orchestration.timeouts",
        {
            "turn": (Node.duration, "end turns that take longer; 0s means no limit"),
            "silence": (
                Node.duration,
                "end turns that print nothing for this time; 0s means no limit",
            ),
        },
    ),
    "limits": (
        "orchestration.limits",
        {
            "turn_output": (Node.size, "bytes that a turn may print, or like 1GiB"),
            "max_review_rounds": (_int(1), "denials of a task before Perles asks you"),
        },
    ),
    "environment": (
        "orchestration",
        {
            "env_capture": (
                _words,
                "globs of the creator's variables that a workflow stores; secrets are never stored",
            ),
        },
    ),
    "team": (
        "orchestration",
        {
            "observer_enabled": (
                Node.boolean,
                "an observer in each workflow of AI agents: it reads everything, answers in "
                "#observer, and changes nothing",
            ),
        },
    ),
    "templates": (
        "orchestration.templates",
        {"document_path": (_folder, "folder below the work dir where templates put documents")},
    ),
    "notify": (
        "notify",
        {
            "command": (_words, "program and arguments; it gets each event as JSON on stdin"),
            "timeout": (Node.positive_duration, "a command that takes longer is killed"),
            "events": (_event_types, "globs of the events to send"),
        },
    ),
    "retention": (
        "retention",
        {
            "older_than": (Node.duration, "prune workflows that ended longer ago; 0s means never"),
            "keep": (_int(0), "keep the newest N ended workflows"),
            "backup_every": (Node.duration, "time between backups of the database; 0s means never"),
            "backup_keep": (_int(1), "keep the newest N backups"),
        },
    ),
    "worktrees": (
        "worktrees",
        {
            "copy": (_words, "files and folders that git ignores, copied into each new worktree"),
            "link": (_words, "the same, linked: [node_modules]"),
            "setup": (Node.text, "command that prepares a worktree, before all other tasks"),
        },
    ),
    "worktree_space": (
        "worktrees",
        {
            "max_bytes": (
                lambda node: 0 if node.value == "0" else node.size(),
                "bytes of all worktrees, or like 20GB; above it workflows wait; 0: no limit",
            ),
        },
    ),
    "http": (
        "http",
        {
            "listen": (
                Node.text,
                "[HOST:]PORT of HTTP and the web page; empty: off",
            ),
            "certificate": (Node.text, "file with a certificate for TLS, and its chain"),
            "key": (Node.text, "file with its private key"),
            "hosts": (_words, "additional host names that browsers use"),
        },
    ),
    "cluster": ("cluster", cluster.ENTRIES),
    "database": (
        "",
        {
            "database": (
                _database,
                "sqlite, the file in the home folder; or postgresql://USER@HOST/NAME: "
                "docs/postgres.md",
            ),
        },
    ),
    "theme": (
        "theme",
        {
            "preset": (theme.read_preset, f"colours of the dashboard: {', '.join(theme.PRESETS)}"),
            "colors": (theme.read_colors, 'single colours, such as {text.muted: "#999999"}'),
        },
    ),
}


def key_of(prefix: str, name: str) -> str:
    """A key in full, with dots; `prefix` is "" for one that stands at the root."""
    return f"{prefix}.{name}" if prefix else name


OPTIONS: Final = {
    key_of(prefix, name): Option(key_of(prefix, name), section, name, reader, text)
    for section, (prefix, entries) in TABLE.items()
    for name, (reader, text) in entries.items()
}

IGNORED: Final = frozenset(
    {"auto_refresh", "views", "ui", "theme.mode", "beads_dir", "sound", "flags"}
    | {
        f"orchestration.{name}"
        for name in (
            *("api_port", "session_storage", "workflows"),
            *("tracing", "sound"),  # the original writes sound there, and reads it at the top
        )
    }
    | {
        f"orchestration.timeouts.{name}"
        for name in ("worktree_creation", "coordinator_start", "workspace_setup", "max_total")
    }
)
"""Keys of the original that are accepted and have no effect here (yet)."""
