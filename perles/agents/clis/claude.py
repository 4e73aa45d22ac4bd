"""The provider `claude`: Claude Code."""

import os
from collections.abc import Mapping
from typing import Any, Final

from perles.agents.clis.base import SERVER, TOOL_SECONDS, CliProvider, as_json, bearer
from perles.agents.clis.claude_usage import ClaudeLog, Meter, of_message
from perles.agents.clis.errors import classify
from perles.agents.clis.json_lines import (
    JsonLineParser,
    count,
    ends_turn,
    get,
    items,
    text,
    tool_ended,
    tool_started,
)
from perles.agents.clis.quota import windows
from perles.agents.provider import AgentEvent, Kind, Launch, TurnContext

PREFIX: Final = f"mcp__{SERVER}__"
"""What stands before the names of our tools."""
OTHER_TEAMS: Final = (
    *("ListAgents", "SendMessage", "Workflow", "RemoteTrigger"),
    *("CronCreate", "CronDelete", "CronList", "ScheduleWakeup"),
)
"""Its own tools for teams and for later: nobody governs such a team, and no turn wakes up again."""
REFUSED: Final = (401, 403)
"""What no further try changes: it would try ten times."""
NOT_THERE: Final = frozenset({"failed", "needs-auth", "disabled"})
"""What it says of a server whose tools it will not have in this turn."""
MAX_TOOLS: Final = 1000
"""Tool calls of one turn whose names are remembered until they are answered."""


class ClaudeProvider(CliProvider):
    """Prompt on stdin, system prompt and MCP servers in files, JSON lines back."""

    name = "claude"
    tested = ("2.1.197", "2.1.332")
    default_model = "opus"
    capabilities = ("resume", "usage", "cost", "context", "mcp", "system prompt")
    variables = ("ANTHROPIC_*", "CLAUDE_*", "AWS_*", "GOOGLE_APPLICATION_CREDENTIALS")
    places = ("~/.claude/local/claude", "~/.claude/claude", "~/.local/bin/claude")
    install = "install it: npm install -g @anthropic-ai/claude-code"

    def launch(self, turn: TurnContext) -> Launch:
        """The CLI with only our server, in print mode."""
        folder = turn.folder
        argv = [self.executable(turn.environ), "--print", "--output-format", "stream-json"]
        argv.append("--verbose")
        if turn.session_id:
            argv += ["--resume", turn.session_id]
        if model := self.model(turn):
            argv += ["--model", model]
        argv += ["--dangerously-skip-permissions", "--strict-mcp-config"]
        if turn.usd_left is not None:
            argv += ["--max-budget-usd", f"{turn.usd_left:.6f}"]
        argv += ["--disallowedTools", ",".join(OTHER_TEAMS)]
        argv += ["--mcp-config", str(folder / "claude-mcp.json")]
        files = {"claude-mcp.json": as_json({"mcpServers": {SERVER: _server(turn)}})}
        if turn.system_prompt:
            argv += ["--append-system-prompt-file", str(folder / "system-prompt.md")]
            files["system-prompt.md"] = turn.system_prompt.encode(errors="replace")
        env = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
        env["MCP_TOOL_TIMEOUT"] = str(TOOL_SECONDS * 1000)
        if os.geteuid() == 0:
            env["IS_SANDBOX"] = "1"  # else it refuses to skip permissions as root
        return Launch(
            argv=[*argv, *self.settings.args],
            env=env | self.settings.environment(turn.environ),
            stdin=turn.prompt.encode(errors="replace"),
            files=files,
        )

    def parser(self, totals: Mapping[str, float] | None = None) -> "ClaudeParser":
        """A parser of its stream-json, which counts from what the session had used before."""
        return ClaudeParser(totals)

    def session_log(self, environ: Mapping[str, str]) -> ClaudeLog:
        """Where it writes down its sessions, with what each message used."""
        return ClaudeLog({**environ, **self.settings.environment(environ)})


def _server(turn: TurnContext) -> dict[str, Any]:
    # Newer versions hide the tools of a server behind a search, unless they are told not to.
    server = {"type": "http", "url": turn.mcp_url, "headers": bearer(turn)}
    return {**server, "alwaysLoad": True}


class ClaudeParser(JsonLineParser):
    """Usage is counted at each message, and settled by the result."""

    def __init__(self, totals: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self._meter = Meter(totals)
        self._tools: dict[str, str] = {}
        self._context = 0

    def _read(self, line: dict[str, Any]) -> list[AgentEvent]:
        kind = line.get("type")
        if kind == "system":
            return self._system(line)
        if kind == "assistant":
            return self._assistant(line)
        if kind == "user":
            return self._results(line)
        if kind == "result":
            return self._result(line)
        if kind == "rate_limit_event":
            return windows(line.get("rate_limit_info"))
        if kind == "error":
            error = line.get("error")
            return self._failed(get(error, "message") or error or line.get("message"))
        return []

    def _system(self, line: dict[str, Any]) -> list[AgentEvent]:
        if line.get("subtype") == "init":
            return self._seen_session(line.get("session_id")) + self._without_tools(line)
        return self._retries(line) if line.get("subtype") == "api_retry" else []

    def _without_tools(self, line: dict[str, Any]) -> list[AgentEvent]:
        """What is to be said where it begins without our tools: nothing it does would count."""
        ours = [one for one in items(line.get("mcp_servers")) if get(one, "name") == SERVER]
        status = text(get(ours[0], "status"), 100) if ours else ""
        if status in NOT_THERE:
            said = f"it does not reach the tools of perles (its server: {status})"
            return [ends_turn(event) for event in self._failed(said)]
        seen = any(text(name).startswith(PREFIX) for name in items(line.get("tools")))
        if status == "connected" and not seen:
            said = "it does not show the tools of perles to its model at once"
            return [AgentEvent(Kind.ERROR, said, {"final": False})]
        return []

    def _retries(self, line: dict[str, Any]) -> list[AgentEvent]:
        """It was refused and tries again: told with its wait, or ended where that is vain."""
        status, attempt = count(line.get("error_status")), count(line.get("attempt"))
        error = text(line.get("error"), 200) or str(status or "nothing")
        said = f"the API answers {error}"
        if status in REFUSED:
            return [ends_turn(event) for event in self._failed(f"{said} ({status})", status)]
        seconds = count(line.get("retry_delay_ms")) / 1000
        data = {"final": False, "status": status, "error_class": classify(error, status)}
        said = f"{said}; attempt {attempt}"
        return [AgentEvent(Kind.ERROR, said, {**data, "again_in": seconds})]

    def _assistant(self, line: dict[str, Any]) -> list[AgentEvent]:
        message = line.get("message")
        context = of_message(get(message, "usage")).all
        inside = line.get("parent_tool_use_id") is not None
        if context and not inside:
            self._context = context
        heard = self._meter.heard(message)
        events = [] if heard is None else [self._with_context(heard)]
        for block in items(get(message, "content")):
            if get(block, "type") == "text" and not line.get("error"):
                events += self._said(block.get("text"))
            elif get(block, "type") == "tool_use":
                self._remember(block)
                events.append(tool_started(_plain(block.get("name")), block.get("input")))
        return events

    def _remember(self, block: dict[str, Any]) -> None:
        if len(self._tools) < MAX_TOOLS:
            self._tools[text(block.get("id"), 200)] = _plain(block.get("name"))

    def _results(self, line: dict[str, Any]) -> list[AgentEvent]:
        return [
            tool_ended(
                self._tools.pop(text(block.get("tool_use_id"), 200), "tool"),
                block.get("content"),
                failed=block.get("is_error") is True,
            )
            for block in items(get(line, "message", "content"))
            if get(block, "type") == "tool_result"
        ]

    def _result(self, line: dict[str, Any]) -> list[AgentEvent]:
        self._ended = True
        events = self._usage(line)
        if line.get("is_error") is True or text(line.get("subtype")).startswith("error"):
            said = line.get("result") or line.get("error")
            errors = "; ".join(text(error, 500) for error in items(line.get("errors"))[:5])
            return events + self._failed(said or errors, line.get("api_error_status"))
        self._failure = None
        said = text(line.get("result"))
        shown = "" if said == self._last_text else said
        if said.strip():
            self._last_text = said
        return [*events, AgentEvent(Kind.RESULT, shown)] if shown.strip() else events

    def _with_context(self, event: AgentEvent) -> AgentEvent:
        return AgentEvent(event.kind, "", {**event.data, "context_used": self._context})

    def _usage(self, line: dict[str, Any]) -> list[AgentEvent]:
        windows = line.get("modelUsage")
        sizes = [
            count(get(model, "contextWindow"))
            for model in (windows.values() if isinstance(windows, dict) else ())
        ]
        event = self._meter.settled(
            line, context_used=self._context, context_window=max(sizes, default=0)
        )
        if event is None:
            return []
        self.has_settled = True
        return [event]


def _plain(name: Any) -> str:
    """Our tools by their own names."""
    return text(name, 200).removeprefix(PREFIX)
