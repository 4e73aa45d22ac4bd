"""The provider `gemini`: Gemini CLI."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from perles.agents.clis.base import SERVER, TOOL_SECONDS, CliProvider, as_json, bearer, with_system
from perles.agents.clis.gemini_usage import GeminiLog
from perles.agents.clis.json_lines import (
    JsonLineParser,
    count,
    get,
    text,
    tool_ended,
    tool_started,
    usage,
)
from perles.agents.provider import AgentEvent, Kind, Launch, TurnContext
from perles.domain.errors import UsageError

MAX_TOOLS: Final = 1000
MAX_PIECE: Final = 64 * 1024
_ANSWERED: Final = " with response: "
"""What stands before the answer to a call of a tool that failed."""


class GeminiProvider(CliProvider):
    """Prompt on stdin, a settings file of its own for our server, JSON lines back."""

    name = "gemini"
    answers_within = 60.0  # it prints an answer as it comes, but not what it thinks
    tested = ("0.61.0",)
    hidden_tools = ("ask_user",)  # nor its own, where nobody sits before it
    capabilities = ("resume", "usage", "mcp")
    variables = ("GEMINI_*", "GOOGLE_*", "VERTEX_*")
    places = ("~/.npm/bin/gemini", "/opt/homebrew/bin/gemini", "/usr/local/bin/gemini")
    install = "install it: npm install -g @google/gemini-cli"

    def launch(self, turn: TurnContext) -> Launch:
        """The CLI with everything allowed. Its settings lie in the session folder, not the repo."""
        argv = [self.executable(turn.environ)]
        if model := self.model(turn):
            argv += ["-m", model]
        if turn.session_id:
            argv += ["--resume", turn.session_id]
        _need_private(turn.folder)
        settings: dict[str, Any] = {
            "mcpServers": {
                SERVER: {
                    "httpUrl": turn.mcp_url,
                    "headers": bearer(turn),
                    "trust": True,
                    "timeout": TOOL_SECONDS * 1000,
                }
            },
            "mcp": {"allowed": [SERVER]},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "general": {"disableAutoUpdate": True},
        }
        own = self.settings.environment(turn.environ)
        if _has_key_and_address({**turn.environ, **own}):
            settings["security"] = {"auth": {"selectedType": "gemini-api-key"}}
        env = {
            "GEMINI_CLI_SYSTEM_SETTINGS_PATH": str(turn.folder / "gemini-settings.json"),
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        }
        return Launch(
            argv=[*argv, "--yolo", "--output-format", "stream-json", *self.settings.args],
            env=env | own,
            stdin=with_system(turn).encode(errors="replace"),
            files={"gemini-settings.json": as_json(settings)},
        )

    def parser(self, _totals: Mapping[str, float] | None = None) -> "GeminiParser":
        """A parser of its stream-json."""
        return GeminiParser()

    def session_log(self, environ: Mapping[str, str]) -> GeminiLog:
        """Where it writes down its chats, with what each message used."""
        return GeminiLog({**environ, **self.settings.environment(environ)})


def _need_private(folder: Path) -> None:
    """Raise `UsageError` where it would pass over its settings file without a word."""
    for parent in (folder, *folder.parents):
        if parent.exists() and parent.stat().st_mode & 0o022:
            raise UsageError(
                f"cannot use gemini with a session in {folder}: it reads no settings below "
                f"{parent}, where others may write; move PERLES_HOME"
            )


def _has_key_and_address(environ: Mapping[str, str]) -> bool:
    """Whether it would take the address for a login of its own, and then refuse that."""
    return "GOOGLE_GEMINI_BASE_URL" in environ and "GEMINI_API_KEY" in environ


def _reason(message: Any) -> Any:
    """Why a call failed. What it prints repeats the call's arguments first: those tell nothing."""
    _, told, response = text(message).partition(_ANSWERED)
    if not told:
        return message
    try:
        (part, *_) = msgspec.json.decode(response)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return response
    error = get(part, "functionResponse", "response", "error")
    return get(error, "message") or get(error, "content") or error or response


class GeminiParser(JsonLineParser):
    """Its texts come in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self._tools: dict[str, str] = {}
        self._piece = ""
        self._gave_up = ""

    def _read(self, line: dict[str, Any]) -> list[AgentEvent]:
        kind = line.get("type")
        if kind == "message" and line.get("role") == "assistant":
            return self._message(line)
        self._piece = ""
        if kind == "init":
            return self._seen_session(line.get("session_id"))
        if kind == "tool_use":
            return [self._tool(line)]
        if kind == "tool_result":
            name = self._tools.pop(text(line.get("tool_id"), 200), "tool")
            failed = line.get("status") in ("error", "failed")
            answer = _reason(get(line, "error", "message")) if failed else None
            return [tool_ended(name, answer or line.get("output"), failed=failed)]
        if kind == "error":
            said = text(line.get("message"), 2000) or text(get(line, "error", "message"), 2000)
            if line.get("severity") == "warning":
                self._gave_up = said if "loop detected" in said.lower() else self._gave_up
                return [AgentEvent(Kind.ERROR, said, {"final": False})]
            return self._failed(said, get(line, "error", "code"))
        return self._result(line) if kind == "result" else []

    def _message(self, line: dict[str, Any]) -> list[AgentEvent]:
        events = self._said(line.get("content"))
        if line.get("delta") is True:
            self._piece = (self._piece + text(line.get("content")))[-MAX_PIECE:]
            self._last_text = self._piece
        return events

    def _tool(self, line: dict[str, Any]) -> AgentEvent:
        name = text(line.get("tool_name"), 200).removeprefix(f"mcp_{SERVER}_")
        if len(self._tools) < MAX_TOOLS:
            self._tools[text(line.get("tool_id"), 200)] = name
        return tool_started(name, line.get("parameters"))

    def _result(self, line: dict[str, Any]) -> list[AgentEvent]:
        self._ended = True
        stats = line.get("stats")
        cached = count(get(stats, "cached"))
        event = usage(
            of_turn=True,
            settled=True,
            tokens_in=max(0, count(get(stats, "input_tokens")) - cached),
            tokens_cached=cached,
            tokens_out=count(get(stats, "output_tokens")),
        )
        self.has_settled = isinstance(stats, dict)
        events = [event] if self.has_settled else []
        if line.get("status") not in ("success", None):
            error = line.get("error")
            said = text(get(error, "message"), 2000) or text(error, 2000)
            return events + self._failed(said, get(error, "code"))
        if self._gave_up:  # it calls that a success
            return events + self._failed(self._gave_up)
        self._failure = None
        return events
