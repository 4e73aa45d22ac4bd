"""The configuration as types, with what holds by default."""

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import NamedTuple

from perles.config.cluster import Cluster
from perles.config.provider_settings import Providers
from perles.config.theme import Theme
from perles.domain.records import dataclass


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
    """What one turn may print, in bytes; denials of a task after which a person is asked."""

    turn_output: int = 2**30
    max_review_rounds: int = 5


@dataclass(frozen=True, slots=True)
class Environment:
    """Which variables are captured where a workflow is created: globs of their names."""

    env_capture: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class TemplateSettings:
    """What templates can name: the folder of documents, below the work dir."""

    document_path: str = "docs/proposals"


@dataclass(frozen=True, slots=True)
class Team:
    """Who is there beside the coordinator and its workers."""

    observer_enabled: bool = False


@dataclass(frozen=True, slots=True)
class Notify:
    """A command that runs for events, and for which ones. None where `command` is empty."""

    command: tuple[str, ...] = ()
    timeout: float = 10.0
    events: tuple[str, ...] = (
        "task.waiting_for_user",
        "question.asked",
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
class Worktrees:
    """What comes along into a worktree that git ignores, and the command that prepares it."""

    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    setup: str = ""


@dataclass(frozen=True, slots=True)
class WorktreeSpace:
    """How many bytes all worktrees may use together; 0 means no limit."""

    max_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Http:
    """Where HTTP is served, `[HOST:]PORT`; "" for nowhere. `hosts` are names that lead there."""

    listen: str = ""
    certificate: str = ""
    key: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseChoice:
    """Which database: `sqlite`, or the URL of a server's, without a password."""

    database: str = "sqlite"


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration as it holds."""

    resource_policy: ResourcePolicy = ResourcePolicy()
    health_policy: HealthPolicy = HealthPolicy()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    environment: Environment = Environment()
    team: Team = Team()
    templates: TemplateSettings = TemplateSettings()
    notify: Notify = Notify()
    retention: Retention = Retention()
    worktrees: Worktrees = Worktrees()
    worktree_space: WorktreeSpace = WorktreeSpace()
    http: Http = Http()
    cluster: Cluster = field(default_factory=Cluster)
    database: DatabaseChoice = DatabaseChoice()
    theme: Theme = field(default_factory=Theme)
    providers: Providers = field(default_factory=Providers)
