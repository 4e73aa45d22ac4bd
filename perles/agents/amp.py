"""The provider `amp`. It speaks as its documentation says; it was not run against the real CLI."""

from collections.abc import Mapping
from typing import Any, Final

from perles.agents.claude import ClaudeParser
from perles.agents.cli import SERVER, CliProvider, as_json, bearer, with_system
from perles.agents.lines import count, get
from perles.agents.provider import AgentEvent, Launch, TurnContext

_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


class AmpProvider(CliProvider):
    """Prompt on stdin, a settings file of its own for our server, Claude's JSON lines back."""

    name = "amp"
    capabilities = ("resume", "usage", "cost", "mcp")
    variables = ("AMP_*",)
    install = "see ampcode.com for how to install it"

    def launch(self, turn: TurnContext) -> Launch:
        """The CLI in execute mode."""
        argv = [self.executable(turn.environ)]
        if turn.session_id:
            argv += ["threads", "continue", turn.session_id]
        argv += ["--dangerously-allow-all", "--no-notifications", "--no-ide"]
        if self.model(turn) == "sonnet":
            argv.append("--use-sonnet")
        if self.settings.mode:
            argv += ["-m", self.settings.mode]
        argv += ["--mcp-config", str(turn.folder / "amp-mcp.json"), "--stream-json", "-x"]
        server = {"url": turn.mcp_url, "headers": bearer(turn)}
        return Launch(
            argv=[*argv, *self.settings.args],
            env=self.settings.environment(turn.environ),
            stdin=with_system(turn).encode(errors="replace"),
            files={"amp-mcp.json": as_json({SERVER: server})},
        )

    def parser(self, _totals: Mapping[str, int] | None = None) -> "AmpParser":
        """A parser of its stream-json."""
        return AmpParser()


class AmpParser(ClaudeParser):
    """Claude's lines, but usage stands at the messages and not at the result."""

    def __init__(self) -> None:
        super().__init__()
        self._used: dict[str, Any] = {}

    def _read(self, line: dict[str, Any]) -> list[AgentEvent]:
        found = get(line, "message", "usage")
        if line.get("type") == "assistant" and isinstance(found, dict):
            for name in _COUNTS:
                self._used[name] = count(self._used.get(name)) + count(found.get(name))
        if line.get("type") == "result" and not isinstance(line.get("usage"), dict):
            line = {**line, "usage": self._used}
        return super()._read(line)
