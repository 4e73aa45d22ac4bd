"""The providers as they are set up: of a CLI, and for a role."""

import re
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern
from perles.domain.provider_choice import layers
from perles.domain.records import dataclass
from perles.domain.secrecy import texts_of

DEFAULT_CLIENT: Final = "claude"
VARIABLE: Final = lazy_pattern(r"\$\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable for agents: its text as written, and where it stands."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What the configuration says of one provider; `type` is its kind where the name is not."""

    name: str
    type: str = ""
    model: str | None = None
    mode: str | None = None
    sandbox: str | None = None
    executable: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, Variable] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    prompt: str = "stdin"
    output: str = "text"
    paths: Mapping[str, str] = field(default_factory=dict)
    tokens_are: str = "turn"
    mcp: str = "none"
    ai_call: bool = True
    silent: float | None = None

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Its variables with each `${VAR}` filled in. Raises `UsageError` naming file and line."""
        return {
            name: _expanded(name, variable, environ, self.name)
            for name, variable in self.env.items()
        }


@dataclass(frozen=True, slots=True)
class Providers:
    """Who runs the agents of each role, and the settings of every provider."""

    client: str | None = None
    clients: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, ProviderSettings] = field(default_factory=dict)
    role_settings: Mapping[str, ProviderSettings] = field(default_factory=dict)
    sandbox: Mapping[str, str] = field(default_factory=dict)
    text: str = field(default="", compare=False)
    """What a workflow keeps of them, for `restored`."""

    def client_of(self, role: str) -> str:
        """The provider of agents of this role, where nobody names another."""
        return self.clients.get(role) or self.client or DEFAULT_CLIENT

    def names(self, role: str) -> bool:
        """Whether the configuration says who agents of this role are."""
        return bool(self.clients.get(role) or self.client)

    def of(self, name: str, role: str = "") -> ProviderSettings:
        """The settings of a provider; `claude_worker` and its like go over the general ones.

        `role` may be a type of worker, too: `claude_reviewer` goes over `claude_worker`.
        """
        found = self.settings.get(name, ProviderSettings(name))
        for seat in layers(role):
            special = self.role_settings.get(f"{name}_{seat}")
            if special is not None:
                found = _over(special, found)
        return found

    def key_of(self, name: str, role: str) -> str:
        """What of these settings `of` uses last: the same key means the same settings."""
        special = [f"{name}_{seat}" for seat in layers(role)]
        return next((key for key in reversed(special) if key in self.role_settings), name)

    def sandbox_of(self, role: str) -> str:
        """`bubblewrap` or `none`."""
        return self.sandbox.get(role, "none")


def _over(special: ProviderSettings, general: ProviderSettings) -> ProviderSettings:
    return replace(
        general,
        model=special.model or general.model,
        env={**general.env, **special.env},
        args=special.args or general.args,
        silent=general.silent if special.silent is None else special.silent,
    )


def _expanded(name: str, variable: Variable, environ: Mapping[str, str], provider: str) -> str:
    def value(match: re.Match[str]) -> str:
        wanted = match.group(1)
        if wanted not in environ:
            raise UsageError(
                f"cannot use {variable.where}: {provider}.env.{name}: ${{{wanted}}} is not set; "
                "set it where the engine is started"
            )
        return environ[wanted]

    return VARIABLE.sub(value, variable.text)


def secrets_handed_out(providers: Providers, environ: Mapping[str, str]) -> set[str]:
    """The secrets that agents get from this environment and the providers' own variables."""
    found = texts_of(environ)
    for settings in (*providers.settings.values(), *providers.role_settings.values()):
        try:
            found |= texts_of(settings.environment(environ))
        except UsageError:
            continue  # it lacks a variable: no agent of it is started
    return found
