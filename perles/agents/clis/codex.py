"""The provider `codex`: OpenAI Codex CLI."""

import json
from collections.abc import Mapping
from typing import Any, Final

from perles.agents.clis.base import SERVER, TOKEN_VARIABLE, TOOL_SECONDS, CliProvider
from perles.agents.clis.codex_usage import COUNTS, CodexLog, difference
from perles.agents.clis.json_lines import (
    JsonLineParser,
    count,
    get,
    items,
    text,
    tool_ended,
    tool_started,
    usage,
)
from perles.agents.clis.other_servers import codex_servers
from perles.agents.provider import AgentEvent, Kind, Launch, TurnContext

STARTUP_SECONDS: Final = 60
"""How long it waits for our server."""


class CodexProvider(CliProvider):
    """Prompt on stdin, settings as `-c`, the token in the environment, JSON lines back."""

    name = "codex"
    tested = ("0.169.0", "0.171.0")
    capabilities = ("resume", "usage", "mcp", "system prompt")
    variables = ("OPENAI_*", "CODEX_*", "AZURE_OPENAI_*")
    install = "install it: npm install -g @openai/codex"

    def launch(self, turn: TurnContext) -> Launch:
        """The CLI in exec mode, without its own sandbox unless one is configured."""
        argv = [self.executable(turn.environ), "exec", "--json", "--skip-git-repo-check"]
        if model := self.model(turn):
            argv += ["-m", model]
        argv += ["-s", self.settings.sandbox or "danger-full-access", "-C", str(turn.work_dir)]
        own = self.settings.environment(turn.environ)
        argv += ["-c", f"mcp_servers={_servers(turn, {**turn.environ, **own})}"]
        argv += ["-c", "features.apps=false", "-c", "features.plugins=false"]
        if turn.system_prompt:
            argv += ["-c", f"developer_instructions={_toml(turn.system_prompt)}"]
        argv += self.settings.args
        if turn.session_id:
            argv += ["resume", turn.session_id]
        return Launch(
            argv=[*argv, "-"],
            env={TOKEN_VARIABLE: turn.token} | own,
            stdin=turn.prompt.encode(errors="replace"),
        )

    def parser(self, totals: Mapping[str, float] | None = None) -> "CodexParser":
        """A parser of its JSON events, which counts from what the session had used before."""
        return CodexParser(totals)

    def session_log(self, environ: Mapping[str, str]) -> CodexLog:
        """Where it writes down its threads, with what each call used."""
        return CodexLog({**environ, **self.settings.environment(environ)})


def _servers(turn: TurnContext, environ: Mapping[str, str]) -> str:
    """Our server, and every other one turned off: tables of several places are merged."""
    # Required: else the model is asked before our tools are there, when the engine has just begun.
    ours = f"url={_toml(turn.mcp_url)},bearer_token_env_var={_toml(TOKEN_VARIABLE)}"
    ours += f",startup_timeout_sec={STARTUP_SECONDS},tool_timeout_sec={TOOL_SECONDS}"
    ours = f"{{{ours},required=true}}"
    entries = [f"{_toml(SERVER)}={ours}"]
    for name, reached_by in codex_servers(environ, turn.work_dir).items():
        if name != SERVER:
            # With what it is reached by, the entry is whole even where its file is not loaded.
            entries.append(f'{_toml(name)}={{enabled=false,{reached_by}="off"}}')
    return f"{{{','.join(entries)}}}"


def _toml(value: str) -> str:
    """A TOML string: JSON's form is one, as long as nothing is written as a surrogate pair."""
    return json.dumps(value.encode(errors="replace").decode(), ensure_ascii=False).replace(
        "\x7f", "\\u007F"
    )


class CodexParser(JsonLineParser):
    """Its usage is the running total of the thread: a turn's is the difference."""

    def __init__(self, totals: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self._before = totals or {}

    def _read(self, line: dict[str, Any]) -> list[AgentEvent]:
        kind = line.get("type")
        if kind == "thread.started":
            return self._seen_session(line.get("thread_id"))
        if kind == "turn.completed":
            self._ended, self._failure = True, None
            return self._usage(line.get("usage"))
        if kind == "turn.failed":
            self._ended = True
            error = line.get("error")
            return [*self._usage(line.get("usage")), *self._failed(_message(error))]
        if kind == "error":
            # Not the last word: it may be told that it tries again.
            said = _message(line.get("message"))
            return [AgentEvent(Kind.ERROR, said, {"final": False})] if said else []
        if kind in ("item.started", "item.completed"):
            return self._item(line.get("item"), done=kind == "item.completed")
        return []

    def _item(self, item: Any, *, done: bool) -> list[AgentEvent]:
        kind = get(item, "type")
        if kind == "agent_message":
            return self._said(item.get("text")) if done else []
        if kind == "command_execution":
            return [_command(item, done=done)]
        if kind == "mcp_tool_call":
            return [_tool(item, done=done)]
        if kind == "error" and done:
            return [AgentEvent(Kind.ERROR, text(item.get("message"), 2000), {"final": False})]
        if kind in ("file_change", "web_search", "todo_list") and done:
            shown = item.get("changes") or item.get("query") or item.get("items")
            return [tool_ended(kind, shown, failed=item.get("status") == "failed")]
        return []

    def _usage(self, used: Any) -> list[AgentEvent]:
        if not isinstance(used, dict):
            return []
        now = {name: count(used.get(name)) for name in COUNTS}
        given, cached, out = difference(now, self._before)
        self.has_settled = True
        event = usage(
            of_turn=True, settled=True, tokens_in=given, tokens_cached=cached, tokens_out=out
        )
        return [AgentEvent(Kind.USAGE, "", {**event.data, "totals": now})]


def _command(item: dict[str, Any], *, done: bool) -> AgentEvent:
    if not done:
        return tool_started("Bash", item.get("command"))
    code = item.get("exit_code")
    return tool_ended("Bash", item.get("aggregated_output"), failed=code not in (None, 0))


def _tool(item: dict[str, Any], *, done: bool) -> AgentEvent:
    if not done:
        return tool_started(item.get("tool"), item.get("arguments"))
    error = get(item, "error", "message") or item.get("error")
    result = error or items(get(item, "result", "content"))
    failed = bool(error) or item.get("status") == "failed"
    return tool_ended(item.get("tool"), result, failed=failed)


def _message(error: Any) -> str:
    """The words of an error, out of the API's JSON where it holds that."""
    said = text(get(error, "message") or error, 4000)
    if said.startswith("{"):
        try:
            inner = get(json.loads(said), "error", "message")
        except (ValueError, RecursionError):
            return said
        return text(inner, 2000) or said
    return said
