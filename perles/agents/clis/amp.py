"""The provider `amp`: Amp.

It was run against the real CLI as far as that goes without an account: its flags, its
settings and what it says where no login holds. What it prints of a turn is as its
documentation says.
"""

from collections.abc import Mapping
from typing import Any

from perles.agents.clis.base import SERVER, CliProvider, as_json, bearer, with_system
from perles.agents.clis.claude import ClaudeParser
from perles.agents.clis.claude_usage import Meter
from perles.agents.clis.other_servers import amp_settings
from perles.agents.provider import Launch, TurnContext


class AmpProvider(CliProvider):
    """Prompt on stdin, settings and our server in files, Claude's JSON lines back."""

    name = "amp"
    tested = ("0.0.1790142911",)
    capabilities = ("resume", "usage", "mcp")
    variables = ("AMP_*",)
    places = ("~/.amp/bin/amp", "~/.local/bin/amp")
    install = "install it: npm install -g @sourcegraph/amp"

    def launch(self, turn: TurnContext) -> Launch:
        """The CLI in execute mode."""
        argv = [self.executable(turn.environ)]
        if turn.session_id:
            argv += ["threads", "continue", turn.session_id]
        argv += ["--no-notifications", "--no-ide"]
        # Models are chosen by mode: amp:high, or mode: high in the configuration.
        if mode := turn.model or self.settings.mode or self.settings.model:
            argv += ["-m", mode]
        argv += ["--settings-file", str(turn.folder / "amp-settings.json")]
        argv += ["--mcp-config", str(turn.folder / "amp-mcp.json"), "--stream-json", "-x"]
        own = self.settings.environment(turn.environ)
        server = {"url": turn.mcp_url, "headers": bearer(turn)}
        return Launch(
            argv=[*argv, *self.settings.args],
            env=own,
            stdin=with_system(turn).encode(errors="replace"),
            files={
                "amp-mcp.json": as_json({SERVER: server}),
                "amp-settings.json": as_json(_settings({**turn.environ, **own})),
            },
        )

    def parser(self, totals: Mapping[str, float] | None = None) -> "AmpParser":
        """A parser of its stream-json."""
        return AmpParser(totals)


def _settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """The person's settings with everything allowed, and without servers other than ours."""
    found = amp_settings(environ)
    found.pop("amp.mcpServers", None)
    return {**found, "amp.permissions": [{"tool": "*", "action": "allow"}]}


class AmpParser(ClaudeParser):
    """Claude's lines, but usage stands at the messages and not at the result."""

    def __init__(self, totals: Mapping[str, float] | None = None) -> None:
        super().__init__(totals)
        self._meter = Meter(totals, has_prices=False)
