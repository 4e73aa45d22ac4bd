"""Each CLI is told to wait long for a tool call: one that finds no engine waits for the next."""

import json
import tomllib
from pathlib import Path

import pytest

from perles.agents.clis import gemini
from perles.agents.clis.base import TOOL_SECONDS, CliProvider
from perles.agents.clis.claude import ClaudeProvider
from perles.agents.clis.codex import CodexProvider
from perles.agents.clis.gemini import GeminiProvider
from perles.agents.clis.opencode import OpencodeProvider
from perles.agents.provider import Launch, TurnContext
from perles.config.provider_settings import ProviderSettings


def _launch(kind: type[CliProvider], folder: Path) -> Launch:
    program = folder / "program"
    program.touch(0o755)
    turn = TurnContext(
        workflow_id="wf-1",
        agent="worker-1",
        role="worker",
        number=1,
        model=None,
        work_dir=folder,
        folder=folder,
        prompt="-",
        mcp_url="http://127.0.0.1:1/mcp",
        token="secret",
        session_id=None,
        environ={"HOME": str(folder)},
    )
    settings = ProviderSettings(kind.name, executable=str(program))
    launch: Launch = kind(settings).launch(turn)  # type: ignore[attr-defined]  # each has it
    return launch


def test_claude(tmp_path: Path) -> None:
    assert _launch(ClaudeProvider, tmp_path).env["MCP_TOOL_TIMEOUT"] == str(TOOL_SECONDS * 1000)


def test_codex(tmp_path: Path) -> None:
    argv = _launch(CodexProvider, tmp_path).argv
    told = next(word for word in argv if word.startswith("mcp_servers="))

    assert tomllib.loads(told)["mcp_servers"]["perles"]["tool_timeout_sec"] == TOOL_SECONDS


def test_gemini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemini, "_need_private", lambda _: None)  # the test's folder is not

    file = json.loads(_launch(GeminiProvider, tmp_path).files["gemini-settings.json"])

    assert file["mcpServers"]["perles"]["timeout"] == TOOL_SECONDS * 1000


def test_opencode(tmp_path: Path) -> None:
    file = json.loads(_launch(OpencodeProvider, tmp_path).files["opencode.json"])

    assert file["mcp"]["perles"]["timeout"] == 300_000
