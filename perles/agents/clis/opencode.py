"""The provider `opencode`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perles.agents.clis.base import SERVER, CliProvider, as_json, bearer
from perles.agents.clis.json_lines import (
    JsonLineParser,
    cost,
    count,
    get,
    text,
    tool_ended,
    tool_started,
    usage,
)
from perles.agents.clis.other_servers import merged, opencode_file, opencode_servers
from perles.agents.provider import AgentEvent, Launch, TurnContext

MOST_TOOL_SECONDS: Final = 300
"""It takes no more for a tool call."""


class OpencodeProvider(CliProvider):
    """Prompt on stdin, a configuration file of its own for our server, JSON lines back."""

    name = "opencode"
    tested = ("1.18.33",)
    capabilities = ("resume", "usage", "cost", "context", "mcp", "system prompt")
    variables = (
        *("OPENCODE_*", "ANTHROPIC_*", "OPENAI_*", "GEMINI_*", "GOOGLE_*", "AWS_*"),
        *("OPENROUTER_*", "GROQ_*", "MISTRAL_*", "DEEPSEEK_*", "XAI_*"),
    )
    places = ("~/.opencode/bin/opencode", "~/.local/bin/opencode", "/usr/local/bin/opencode")
    install = "install it: npm install -g opencode-ai"

    def launch(self, turn: TurnContext) -> Launch:
        """The CLI in run mode with everything allowed."""
        argv = [self.executable(turn.environ), "run", "--format", "json"]
        if model := self.model(turn):
            argv += ["--model", model]
        if turn.session_id:
            argv += ["--session", turn.session_id]
        config: dict[str, Any] = {
            "mcp": {
                SERVER: {
                    "type": "remote",
                    "url": turn.mcp_url,
                    "headers": bearer(turn),
                    "enabled": True,
                    "timeout": MOST_TOOL_SECONDS * 1000,
                }
            },
            "permission": {"*": "allow"},
            "autoupdate": False,
            "share": "disabled",
        }
        files = {}
        if turn.system_prompt:
            config["instructions"] = [str(turn.folder / "system-prompt.md")]
            files["system-prompt.md"] = turn.system_prompt.encode(errors="replace")
        own = self.settings.environment(turn.environ)
        seen = {**turn.environ, **own}
        files["opencode.json"] = as_json(merged(opencode_file(seen), config))
        env = {
            "OPENCODE_CONFIG_CONTENT": _without_others(seen, turn.work_dir),
            "OPENCODE_CONFIG": str(turn.folder / "opencode.json"),
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
        }
        return Launch(
            argv=[*argv, *self.settings.args],
            env=own | env,
            stdin=turn.prompt.encode(errors="replace"),
            files=files,
        )

    def parser(self, _totals: Mapping[str, float] | None = None) -> "OpencodeParser":
        """A parser of its JSON events."""
        return OpencodeParser()


def _without_others(environ: Mapping[str, str], work_dir: Path) -> str:
    """What goes over every file: servers other than ours are turned off."""
    names = [name for name in opencode_servers(environ, work_dir) if name != SERVER]
    off = {"mcp": {name: {"enabled": False} for name in names}}
    return json.dumps(merged(environ.get("OPENCODE_CONFIG_CONTENT", ""), off))


class OpencodeParser(JsonLineParser):
    """Usage and cost come by step; the step that stops is the end."""

    def _read(self, line: dict[str, Any]) -> list[AgentEvent]:
        events = self._seen_session(line.get("sessionID"))
        kind, part = line.get("type"), line.get("part")
        if kind == "text":
            return events + self._said(get(part, "text"))
        if kind == "tool_use":
            return events + _tool(part)
        if kind == "step_finish":
            if get(part, "reason") not in ("tool-calls", "tool_calls"):
                self._ended = True
            return self._usage(part) + events
        if kind == "error":
            self._ended = True
            error = line.get("error")
            said = get(error, "data", "message") or get(error, "message") or line.get("message")
            status = get(error, "data", "statusCode")
            return events + self._failed(said or get(error, "name"), status)
        return events

    def _usage(self, part: Any) -> list[AgentEvent]:
        used = get(part, "tokens")
        cached, written = count(get(used, "cache", "read")), count(get(used, "cache", "write"))
        given = count(get(used, "input")) + written
        out = count(get(used, "output")) + count(get(used, "reasoning"))
        event = usage(
            tokens_in=given,
            tokens_cached=cached,
            tokens_out=out,
            cost_usd=cost(get(part, "cost")),
            context_used=given + cached + out,
        )
        return [event] if event.data else []


def _tool(part: Any) -> list[AgentEvent]:
    name = text(get(part, "tool"), 200).removeprefix(f"{SERVER}_")
    state = get(part, "state")
    status = get(state, "status")
    events = [tool_started(name, get(state, "input"))]
    if status in ("completed", "error"):
        answer = get(state, "error") if status == "error" else get(state, "output")
        events.append(tool_ended(name, answer, failed=status == "error"))
    return events
