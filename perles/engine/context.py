"""What the parts of the engine share."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from perles.agents.provider import Provider, find
from perles.config.home import Paths
from perles.config.model import Config, ResourcePolicy
from perles.config.provider_settings import Providers
from perles.config.providers import restored
from perles.domain.records import dataclass
from perles.executor.contract import Executor
from perles.store.database import Database
from perles.store.events.journal import decode
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.writer import Writer
from perles.workspace.creator_environment import environment_of, umask_of

if TYPE_CHECKING:
    from perles.engine.remote_turns import Placing, RemoteWork

log = logging.getLogger("perles.engine")

MAX_KEPT: Final = 500
"""Providers that are kept ready."""


class Reloaded(NamedTuple):
    """By key, what was and what is; and the keys of what the next engine takes up."""

    changes: dict[str, list[str]]
    at_restart: list[str]


class Conducting(Protocol):
    """Does the work of coordinators that only follow fixed rules."""

    def leads(self, reader: Reader, agent: Agent, /) -> bool:
        """Whether the engine does this agent's work, so that it needs no turn."""

    def hear(self, tx: Tx, agent_id: int, /) -> None:
        """Take the messages of such a coordinator, and act on them."""

    def advance(self, tx: Tx, coordinator: Agent, ended: int | None = None, /) -> list[int]:
        """Do what is to be done next in its workflow, where `ended` is the worker that has just
        reported; the workers that can begin with a task."""


class _Nobody:
    """Leads no workflow: each coordinator has its turns."""

    def leads(self, _reader: Reader, _agent: Agent) -> bool:
        return False

    def hear(self, _tx: Tx, _agent_id: int) -> None:
        return

    def advance(self, _tx: Tx, _coordinator: Agent, _ended: int | None = None) -> list[int]:
        return []


@dataclass(slots=True)
class Context:
    """What the engine's parts share, none of the parts itself.

    One per engine; used in its event loop's thread.
    """

    paths: Paths
    config: Config
    database: Database
    writer: Writer
    reader: Reader
    environ: dict[str, str]
    executor: Executor
    """Where turns run."""
    reload: Callable[[], Awaitable[Reloaded]]
    """Take up the configuration as it stands now; what changed by that."""
    kick: Callable[[], None]
    """Look again at what can be delivered, admitted or ended: something changed."""
    conductor: Conducting = field(default_factory=_Nobody)
    """Leads the workflows whose coordinator needs no process."""
    remote: RemoteWork | None = None
    """Carries the work of turns on other machines; None without a cluster."""
    placing: Placing | None = None
    """Where turns run in a cluster; None: all on this machine."""
    stay: Callable[[], None] = lambda: None
    """Do not end when idle any more."""
    providers: dict[tuple[str, str], Provider] = field(default_factory=dict)
    kept: dict[str, Providers] = field(default_factory=dict)
    """What workflows keep of their creators' configurations, by its text."""
    is_errand: bool = False
    """Whether the engine only carries out what was asked, and starts nothing."""
    environs: dict[str, dict[str, str]] = field(default_factory=dict)
    """What workflows keep of their creators' environments, with ours, by its text."""
    closing: set[str] = field(default_factory=set)
    """Workflows about to end: no new turns, and their agents' commands are refused."""
    served: set[str] = field(default_factory=set)
    """Workflows whose port is served: their agents can be given turns."""

    def is_open(self, workflow_id: str) -> bool:
        """Whether turns of the workflow may start: it is served and not about to end."""
        return workflow_id in self.served and workflow_id not in self.closing

    def environ_of(self, workflow: Workflow) -> dict[str, str]:
        """The environment of a workflow's processes: its creator's, and our secrets."""
        text = workflow.surroundings
        if text not in self.environs:
            if len(self.environs) >= MAX_KEPT:
                self.environs.clear()
            found = environment_of(decode(text), self.environ, self.paths.root)
            self.environs[text] = found
        return dict(self.environs[text])

    def umask_of(self, workflow: Workflow) -> int | None:
        """The umask of a workflow's processes; None for ours."""
        return umask_of(decode(workflow.surroundings))

    def policy(self) -> ResourcePolicy:
        """The resource policy as it holds now; it may be replaced while the engine runs."""
        return self.config.resource_policy

    def providers_of(self, workflow: Workflow | None) -> Providers:
        """The providers as the workflow's creator had set them up; ours where there is none."""
        text = None if workflow is None else decode(workflow.surroundings).get("providers")
        if text is None:
            return self.config.providers
        if text not in self.kept:
            if len(self.kept) >= MAX_KEPT:
                self.kept.clear()
            self.kept[text] = restored(text, self.config.providers)
        return self.kept[text]

    def provider(self, name: str, role: str = "", workflow: Workflow | None = None) -> Provider:
        """The provider of this name as set up for a role, loaded once. Raises `UsageError`."""
        providers = self.providers_of(workflow)
        key = providers.key_of(name, role)
        if (providers.text, key) not in self.providers:
            if len(self.providers) >= MAX_KEPT:
                self.providers.clear()
            self.providers[providers.text, key] = find(name, providers.of(name, role))
        return self.providers[providers.text, key]

    def provider_of(self, agent: Agent, workflow: Workflow | None = None) -> Provider:
        """The provider of an agent, as set up for its role and its type. Raises `UsageError`."""
        return self.provider(agent.provider, agent.agent_type or agent.role, workflow)
