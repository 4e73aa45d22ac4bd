"""MCP servers of the person's own are found wherever codex and opencode read them from."""

import json
from pathlib import Path
from typing import Any

import pytest

from perles.agents.clis.codex import CodexProvider
from perles.agents.clis.opencode import OpencodeProvider
from perles.agents.clis.other_servers import codex_servers, merged, opencode_servers
from perles.agents.provider import Launch, TurnContext
from perles.config.provider_settings import ProviderSettings, Variable


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work dir inside a repository, below a home folder."""
    folder = tmp_path / "repo" / "part"
    folder.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _launch(kind: type[CodexProvider] | type[OpencodeProvider], work: Path, **env: str) -> Launch:
    program = work.parent / "program"
    _write(program, "")
    program.chmod(0o755)
    settings = ProviderSettings(
        kind.name,
        executable=str(program),
        env={name: Variable(value, "config.yaml:1") for name, value in env.items()},
    )
    turn = TurnContext(
        workflow_id="wf-1",
        agent="worker-1",
        role="worker",
        number=1,
        model=None,
        work_dir=work,
        folder=work.parent,
        prompt="-",
        mcp_url="http://127.0.0.1:1/mcp",
        token="secret",
        session_id=None,
        environ={"HOME": str(work.parents[1])},
    )
    return kind(settings).launch(turn)


def test_servers_of_codex_are_found_in_every_file(tmp_path: Path, work: Path) -> None:
    _write(tmp_path / ".codex/config.toml", '[mcp_servers."a.b"]\ncommand = "x"\n')
    _write(tmp_path / ".codex/other.config.toml", '[mcp_servers.c]\nurl = "http://x"\n')
    _write(tmp_path / "repo/.codex/config.toml", '[mcp_servers.d]\ncommand = "x"\n')
    _write(tmp_path / "moved/config.toml", "[mcp_servers.e]\n")

    home = {"HOME": str(tmp_path)}

    assert codex_servers(home, work) == {"a.b": "command", "c": "url", "d": "command"}
    moved = {**home, "CODEX_HOME": str(tmp_path / "moved")}
    assert codex_servers(moved, work) == {"e": "command", "d": "command"}


def test_servers_of_opencode_are_found_in_every_file(tmp_path: Path, work: Path) -> None:
    def one(name: str) -> str:
        return json.dumps({"mcp": {name: {"type": "local"}}})

    commented = '/* { */ { // "x"\n "mcp": {"a": {"url": "http://x//y", "b": ",}"},}, }'
    _write(tmp_path / ".config/opencode/opencode.jsonc", commented)
    _write(tmp_path / "repo/opencode.json", one("b"))
    _write(tmp_path / "repo/part/.opencode/opencode.json", one("c"))
    _write(tmp_path / "elsewhere.json", one("d"))
    _write(tmp_path / "above/opencode.json", one("not of this repository"))
    environ = {
        "HOME": str(tmp_path),
        "OPENCODE_CONFIG": str(tmp_path / "elsewhere.json"),
        "OPENCODE_CONFIG_CONTENT": one("e"),
    }

    assert opencode_servers(environ, work) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    "text", ["", "[", "{", "[]", "\x00", '{"mcp": []}', '{"mcp": {"a": 1}}', "[" * 100_000]
)
def test_what_cannot_be_read_names_no_server(tmp_path: Path, work: Path, text: str) -> None:
    _write(tmp_path / ".config/opencode/opencode.json", text)
    _write(tmp_path / ".codex/config.toml", text)

    assert opencode_servers({"HOME": str(tmp_path)}, work) == []
    assert codex_servers({"HOME": str(tmp_path)}, work) == {}


def test_codex_is_told_to_leave_them_off(tmp_path: Path, work: Path) -> None:
    _write(tmp_path / ".codex/config.toml", "[mcp_servers.'a\"b']\nurl = 'http://x/?key=1'\n")

    argv = list(_launch(CodexProvider, work).argv)

    (servers,) = [word for word in argv if word.startswith("mcp_servers=")]
    assert r'"a\"b"={enabled=false,url="off"}' in servers
    assert "key=1" not in " ".join(argv)


def test_opencode_is_told_to_leave_them_off_and_keeps_what_else_is_configured(
    tmp_path: Path, work: Path
) -> None:
    mine: dict[str, Any] = {"mcp": {"a": {"enabled": True}}, "provider": {"p": {}}}
    _write(tmp_path / "mine.json", json.dumps(mine))

    launch = _launch(
        OpencodeProvider,
        work,
        OPENCODE_CONFIG=str(tmp_path / "mine.json"),
        OPENCODE_CONFIG_CONTENT='{"theme": "dark"}',
    )

    over = json.loads(launch.env["OPENCODE_CONFIG_CONTENT"])
    assert over == {"theme": "dark", "mcp": {"a": {"enabled": False}}}
    assert launch.env["OPENCODE_CONFIG"] == str(work.parent / "opencode.json")
    file = json.loads(launch.files["opencode.json"])
    assert file["provider"] == {"p": {}}
    assert file["mcp"]["perles"]["enabled"] is True


def test_configurations_are_merged_table_by_table() -> None:
    assert merged('{"a": {"b": 1, "c": 2}, "d": 3}', {"a": {"b": 4}, "d": {"e": 5}}) == {
        "a": {"b": 4, "c": 2},
        "d": {"e": 5},
    }
