"""One typed configuration out of files and the environment.

The file is `--config FILE` or `PERLES_CONFIG`, else `<repo>/.perles/config.yaml`
over `~/.config/perles/config.yaml`; variables `PERLES_…` are over the files. Each
setting knows where it came from. What is wrong in any of them is a `UsageError`
that names file, line and the nearest key.
"""

import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles import provider_config, theme, yamlfile
from perles.config_files import files as files
from perles.config_files import repo_of as repo_of
from perles.config_files import user_file as user_file
from perles.domain.duration import format_duration
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.provider_config import Providers
from perles.theme import Theme
from perles.yamlfile import Node


class Price(NamedTuple):
    """What a model costs: USD for a million tokens."""

    input: float
    output: float
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """How much may run at once, and be used. Budgets of 0 mean no limit; ports are inclusive."""

    max_workflows_running: int = 5
    max_workers: int = 10
    max_ai_calls: int = 5
    token_budget: int = 0
    port_range_start: int = 9000
    port_range_end: int = 9100
    cost_budget: Decimal = Decimal(0)
    on_budget_exhausted: str = "fail"
    prices: Mapping[str, Price] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """When a workflow counts as stuck, and what is done then. Times are in seconds."""

    heartbeat_timeout: float = 120.0
    progress_timeout: float = 300.0
    max_recoveries: int = 3
    enable_auto_nudge: bool = False
    recovery_backoff: float = 120.0
    max_nudges: int = 2
    enable_auto_replace: bool = False
    enable_auto_pause: bool = False
    on_exhausted: str = "fail"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one turn may take, and be silent, in seconds. 0 means no limit."""

    turn: float = 0.0
    silence: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one turn may print, in bytes."""

    turn_output: int = 2**30


@dataclass(frozen=True, slots=True)
class Notify:
    """A command that is told of events, and of which. None where `command` is empty."""

    command: tuple[str, ...] = ()
    timeout: float = 10.0
    events: tuple[str, ...] = (
        "task.waiting_for_user",
        "user.notification",
        "health.stuck",
        "workflow.failed",
        "workflow.completed",
        "resource.budget_warning",
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """What the engine removes and copies by itself; times are in seconds, 0 means never."""

    older_than: float = 0.0
    keep: int = 0
    backup_every: float = 0.0
    backup_keep: int = 7


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration as it holds."""

    resource_policy: ResourcePolicy = ResourcePolicy()
    health_policy: HealthPolicy = HealthPolicy()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    notify: Notify = Notify()
    retention: Retention = Retention()
    theme: Theme = field(default_factory=Theme)
    providers: Providers = field(default_factory=Providers)


class Setting(NamedTuple):
    """One setting: its dotted key, its value as one writes it, and where it came from."""

    key: str
    value: str
    origin: str


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


def _words(node: Node) -> tuple[str, ...]:
    """A list of words; in a variable, or as one text, separated as a shell does it."""
    if not isinstance(node.value, str):
        return tuple(item.text() for item in node.items())
    try:
        return tuple(shlex.split(node.value))
    except ValueError as error:
        raise node.error(f"cannot be split into words: {error}") from None


def _positive(node: Node) -> float:
    seconds = node.duration()
    if seconds <= 0:
        raise node.error("must be above 0")
    return seconds


_RESOURCE: Final = "orchestration.control_plane.resource_policy"
_HEALTH: Final = "orchestration.control_plane.health_policy"
_ON_EXHAUSTED: Final = ("fail", "pause", "alert")
_ON_BUDGET: Final = ("fail", "pause")

_TABLE: Final[dict[str, tuple[str, dict[str, tuple[Callable[[Node], Any], str]]]]] = {
    "resource_policy": (
        _RESOURCE,
        {
            "max_workflows_running": (_int(1), "workflows that run at once"),
            "max_workers": (_int(1), "live workers over all workflows"),
            "max_ai_calls": (_int(1), "turns of AI agents at once"),
            "token_budget": (_int(0), "tokens over all workflows; 0 means no limit"),
            "port_range_start": (_int(1024, 65535), "first port for the workflows' servers"),
            "port_range_end": (_int(1024, 65535), "last port, inclusive"),
            "cost_budget": (Node.amount, "USD over all workflows; 0 means no limit"),
            "on_budget_exhausted": (
                lambda node: node.word(_ON_BUDGET),
                "fail or pause, when a budget is used up",
            ),
            "prices": (
                _prices,
                "by model, where its CLI tells no cost: {input: 3, output: 15, cached: 0.3}, "
                "USD for a million tokens",
            ),
        },
    ),
    "health_policy": (
        _HEALTH,
        {
            "heartbeat_timeout": (Node.duration, "no event for so long: degraded"),
            "progress_timeout": (Node.duration, "no progress for so long: stuck"),
            "max_recoveries": (_int(0), "recovery steps before on_exhausted"),
            "enable_auto_nudge": (Node.boolean, "nudge the coordinator of what is stuck"),
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
            "turn": (Node.duration, "a turn that takes longer is ended; 0s means no limit"),
            "silence": (Node.duration, "a turn that prints nothing so long is ended; 0s: no limit"),
        },
    ),
    "limits": (
        "orchestration.limits",
        {"turn_output": (Node.size, "bytes that a turn may print, or like 1GiB")},
    ),
    "notify": (
        "notify",
        {
            "command": (_words, "program and arguments, told of events as JSON on stdin"),
            "timeout": (_positive, "a command that takes longer is killed"),
            "events": (_words, "globs of the events to tell"),
        },
    ),
    "retention": (
        "retention",
        {
            "older_than": (Node.duration, "prune workflows that ended so long ago; 0s: never"),
            "keep": (_int(0), "but never the newest so many that ended"),
            "backup_every": (Node.duration, "back up the database so often; 0s: never"),
            "backup_keep": (_int(1), "of these backups the newest so many stay"),
        },
    ),
    "theme": (
        "theme",
        {
            "preset": (theme.read_preset, "colours of the dashboard: dark, light, high-contrast"),
            "colors": (theme.read_colors, 'one by one, such as {text.muted: "#999999"}'),
        },
    ),
}
OPTIONS: Final = {
    f"{prefix}.{name}": Option(f"{prefix}.{name}", section, name, reader, text)
    for section, (prefix, entries) in _TABLE.items()
    for name, (reader, text) in entries.items()
}

IGNORED: Final = frozenset(
    {"views", "ui", "theme.mode", "beads_dir", "sound", "flags"}
    | {
        f"orchestration.{name}"
        for name in (
            *("observer_enabled", "api_port", "templates", "session_storage", "workflows"),
            *("tracing", "sound"),  # the original writes sound there, and reads it at the top
        )
    }
    | {
        f"orchestration.timeouts.{name}"
        for name in ("worktree_creation", "coordinator_start", "workspace_setup", "max_total")
    }
)
"""Keys of the original that are accepted and have no effect here (yet)."""

_PREFIX: Final = "PERLES_"


class _Found(NamedTuple):
    option: Option | None
    node: Node
    origin: str


def load(
    *,
    config_file: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration that holds for somebody in `work_dir`. Raises `UsageError`."""
    return _build(_collect(config_file, work_dir, environ))


def explain(
    *,
    config_file: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> list[Setting]:
    """Every setting with its value and where it came from. Raises `UsageError`."""
    found = _collect(config_file, work_dir, environ)
    config = _build(found)
    return [
        Setting(
            key,
            _written(getattr(getattr(config, option.section), option.field)),
            found[key].origin if key in found else "default",
        )
        for key, option in OPTIONS.items()
    ]


def ignored_keys(paths: list[Path]) -> list[str]:
    """`file:line: key` of every key that is accepted and has no effect."""
    found = []
    for path in paths:
        for key, node in _leaves(yamlfile.read(path), ""):
            if key in IGNORED:
                found.append(f"{node.where}: {key}")
            elif key == "theme.colors":
                found += [f"{one.where}: {key}.{name}" for name, one in theme.unused(node)]
    return found


def render_default() -> str:
    """A configuration file with every key, its default and its meaning."""
    lines = ["# Perles configuration. Every key with its default."]
    above: list[str] = []
    for section, (prefix, entries) in _TABLE.items():
        path = prefix.split(".")
        for depth, name in enumerate(path):
            if path[: depth + 1] != above[: depth + 1]:
                lines.append(f"{'  ' * depth}{name}:")
        above = path
        defaults = getattr(Config(), section)
        for name, (_, text) in entries.items():
            written = _written(getattr(defaults, name))
            lines.append(f"{'  ' * len(path)}{name}: {written}  # {text}")
    return "\n".join(lines) + "\n"


def _collect(
    config_file: Path | None, work_dir: Path | None, environ: Mapping[str, str]
) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for path in files(config_file=config_file, work_dir=work_dir, environ=environ):
        for key, node in _leaves(yamlfile.read(path), ""):
            if key not in IGNORED:
                found[key] = _Found(OPTIONS.get(key), node, _origin(node.where, found.get(key)))
    for name, key in _variables(environ).items():
        node = Node(environ[name], f"environment variable {name}", 0, key)
        origin = _origin(f"environment {name}", found.get(key))
        found[key] = _Found(OPTIONS[key], node, origin)
    return found


def _origin(winner: str, loser: _Found | None) -> str:
    """Where a value came from, and over which others it won."""
    return winner if loser is None else f"{winner} over {loser.origin}"


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that set something, each with its key. `PERLES_` without `__` is no setting."""
    known = {
        _PREFIX + key.removeprefix("orchestration.").replace(".", "__").upper(): key
        for key in OPTIONS
    }
    found = {}
    for name in environ:
        if name.startswith(_PREFIX) and "__" in name:
            if name not in known:
                raise UsageError(
                    f"cannot use environment variable {name}: unknown key{nearest(name, known)}"
                )
            found[name] = known[name]
    return found


def _leaves(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    """Every setting below a node with its dotted key; an ignored branch is one leaf."""
    for name, child in node.mapping().items():
        key = f"{prefix}{name}"
        if key in IGNORED or key in OPTIONS or key in provider_config.KEYS:
            yield key, child
        elif any(option.startswith(f"{key}.") for option in OPTIONS):
            if child.value is not None:
                yield from _leaves(child, f"{key}.")
        else:
            raise child.error(f"unknown key{nearest(name, _names_below(prefix))}")


def _names_below(prefix: str) -> set[str]:
    """The names that may stand below a prefix."""
    return {
        key[len(prefix) :].partition(".")[0]
        for key in (*OPTIONS, *IGNORED, *provider_config.KEYS)
        if key.startswith(prefix)
    }


def _build(found: Mapping[str, _Found]) -> Config:
    values: dict[str, dict[str, Any]] = {section: {} for section in _TABLE}
    for option, node, _ in found.values():
        if option is not None:
            values[option.section][option.field] = option.read(node)
    config = Config(
        ResourcePolicy(**values["resource_policy"]),
        HealthPolicy(**values["health_policy"]),
        timeouts=Timeouts(**values["timeouts"]),
        limits=Limits(**values["limits"]),
        notify=Notify(**values["notify"]),
        retention=Retention(**values["retention"]),
        theme=Theme(**values["theme"]),
        providers=provider_config.build(
            {key: item.node for key, item in found.items() if item.option is None}
        ),
    )
    policy = config.resource_policy
    if policy.port_range_start > policy.port_range_end:
        culprit = found.get(f"{_RESOURCE}.port_range_end") or found[f"{_RESOURCE}.port_range_start"]
        raise culprit.node.error(
            f"the port range {policy.port_range_start}-{policy.port_range_end} is empty; "
            "port_range_start must not be above port_range_end"
        )
    return config


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_entry(entry)}" for key, entry in value.items()) + "}"
    return format_duration(value) if isinstance(value, float) else str(value)


def _entry(price: Price | str) -> str:
    if isinstance(price, str):
        return json.dumps(price)
    return "{" + ", ".join(f"{key}: {value:g}" for key, value in price._asdict().items()) + "}"


assert all(
    {field.name for field in fields(cls)} == set(_TABLE[section][1])
    for section, cls in (
        ("resource_policy", ResourcePolicy),
        ("health_policy", HealthPolicy),
        ("timeouts", Timeouts),
        ("limits", Limits),
        ("notify", Notify),
        ("retention", Retention),
        ("theme", Theme),
    )
)
