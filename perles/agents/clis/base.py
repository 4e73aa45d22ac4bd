"""What the providers of agent CLIs share: settings, prompts as plain text, our server's place."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from perles.agents import prompts
from perles.agents.clis.errors import advice
from perles.agents.executable import find_executable
from perles.agents.provider import Letter, TaskBrief, TurnContext
from perles.config.provider_settings import ProviderSettings

SERVER: Final = "perles"
"""How our MCP server is called in the CLIs' configurations."""
TOOL_SECONDS: Final = 3600
"""How long a CLI shall wait for a tool call's answer, where it lets itself be told: a call that
finds no engine waits for the next one, and their own limits are a minute or less."""
TOKEN_VARIABLE: Final = "PERLES_MCP_TOKEN"  # noqa: S105 - a name


class CliProvider:
    """A CLI that is prompted in words and calls our tools through MCP."""

    name: ClassVar[str]
    is_ai_call = True
    prints_text_only = False
    has_mcp = True
    variables: Sequence[str] | None = ()
    places: ClassVar[Sequence[str]] = ()
    install: ClassVar[str] = ""
    default_model: ClassVar[str | None] = None
    capabilities: ClassVar[Sequence[str]] = ("resume", "usage", "mcp")
    tested: ClassVar[Sequence[str]] = ()
    """The versions that the tests with real CLIs ran with."""
    answers_within: ClassVar[float] = 180.0
    """Seconds in which an answer is whole as a rule, and printed: until then it is silent."""

    def __init__(self, settings: ProviderSettings | None = None) -> None:
        self.settings = settings or ProviderSettings(self.name)

    @property
    def silent_seconds(self) -> float:
        """How long it may print nothing although it is well."""
        return self.answers_within if self.settings.silent is None else self.settings.silent

    def executable(self, environ: Mapping[str, str]) -> str:
        """The program. Raises `UsageError` that lists where it was looked for."""
        return find_executable(
            self.name,
            configured=self.settings.executable,
            environ=environ,
            places=self.places,
            hint=self.install,
        )

    def check(self, environ: Mapping[str, str]) -> None:
        """Find the program and fill in the configured variables. Raises `UsageError`."""
        self.executable(environ)
        self.settings.environment(environ)

    def model(self, turn: TurnContext) -> str | None:
        """The model of this agent: its own, else the configured one."""
        return turn.model or self.settings.model or self.default_model

    def task_message(self, task: TaskBrief) -> str:
        """The task in words."""
        return prompts.task(task, by_tool=self.has_mcp)

    def prompt(self, letters: Sequence[Letter]) -> str:
        """The messages in words."""
        return prompts.letters(letters)

    def advice(self) -> str:
        """What a person does when the login does not hold."""
        return advice(self.name)


def with_system(turn: TurnContext) -> str:
    """The prompt for a CLI that has no place for a system prompt: before the session's first."""
    if turn.session_id is not None or not turn.system_prompt:
        return turn.prompt
    return f"{turn.system_prompt}\n\n---\n\n{turn.prompt}"


def as_json(value: Any) -> bytes:
    """A configuration file's content."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode(errors="replace")


def bearer(turn: TurnContext) -> dict[str, str]:
    """The header that our server asks for."""
    return {"Authorization": f"Bearer {turn.token}"}
