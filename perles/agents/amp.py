"""The provider `amp`. It speaks as its documentation says; it was not run against the real CLI."""

from collections.abc import Mapping

from perles.agents.claude import ClaudeParser
from perles.agents.claude_usage import Meter
from perles.agents.cli import SERVER, CliProvider, as_json, bearer, with_system
from perles.agents.provider import Launch, TurnContext


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

    def parser(self, totals: Mapping[str, float] | None = None) -> "AmpParser":
        """A parser of its stream-json."""
        return AmpParser(totals)


class AmpParser(ClaudeParser):
    """Claude's lines, but usage stands at the messages and not at the result."""

    def __init__(self, totals: Mapping[str, float] | None = None) -> None:
        super().__init__(totals)
        self._meter = Meter(totals, has_prices=False)
