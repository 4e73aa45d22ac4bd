"""The provider `claude`: Claude Code."""

import os
from collections.abc import Mapping
from typing import Any, Final

from perles.agents.claude_usage import ClaudeLog, Meter, of_message
from perles.agents.cli import SERVER, TOOL_SECONDS, CliProvider, as_json, bearer
from perles.agents.lines import (
    JsonLineParser,
    count,
    get,
    items,
    text,
    tool_ended,
    tool_started,
)
from perles.agents.provider import AgentEvent, Kind, Launch, TurnContext

MAX_TOOLS: Final = 1000
"""Tool calls of one turn whose names are remembered until they are answered."""


class ClaudeProvider(CliProvider):
    """Prompt on stdin, system prompt and MCP servers in files, JSON lines back."""

    name = "claude"
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
    return {"type": "http", "url": turn.mcp_url, "headers": bearer(turn)}


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
        if kind == "error":
            error = line.get("error")
            return self._failed(get(error, "message") or error or line.get("message"))
        return []

    def _system(self, line: dict[str, Any]) -> list[AgentEvent]:
        if line.get("subtype") == "init":
            return self._seen_session(line.get("session_id"))
        if line.get("subtype") == "api_retry":
            status, attempt = line.get("error_status"), count(line.get("attempt"))
            said = f"the API answers {text(line.get('error'), 200) or status}; attempt {attempt}"
            return [AgentEvent(Kind.ERROR, said, {"final": False, "status": count(status)})]
        return []

    def _assistant(self, line: dict[str, Any]) -> list[AgentEvent]:
        context = of_message(get(line, "message", "usage")).all
        inside = line.get("parent_tool_use_id") is not None
        if context and not inside:
            self._context = context
        heard = self._meter.heard(line.get("message"))
        events = [] if heard is None else [self._with_context(heard)]
        for block in items(get(line, "message", "content")):
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
    return text(name, 200).removeprefix(f"mcp__{SERVER}__")
