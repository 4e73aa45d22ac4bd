"""What is started for a turn of a builtin agent."""

import subprocess
from pathlib import Path
from typing import Any

from perles.agents.builtin.provider import BuiltinProvider
from perles.agents.provider import Launch, Letter, TurnContext


def _launch(folder: Path, role: str, body: str = "hello") -> Launch:
    provider = BuiltinProvider()
    about: dict[str, Any] = {"work_dir": folder, "folder": folder, "session_id": None}
    turn = TurnContext(
        workflow_id="wf-1",
        agent=f"{role}-1",
        role=role,
        number=1,
        model=None,
        prompt=provider.prompt([Letter("user", "user", body)]),
        mcp_url="http://127.0.0.1:1/mcp",
        token="secret",
        **about,
    )
    return provider.launch(turn)


def test_a_worker_without_a_task_takes_its_messages_and_does_nothing(tmp_path: Path) -> None:
    launch = _launch(tmp_path, "worker")

    done = subprocess.run(launch.argv, input=launch.stdin, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert dict(launch.env) == {}  # it needs no token


def test_a_coordinator_gets_its_token_by_its_environment_alone(tmp_path: Path) -> None:
    launch = _launch(tmp_path, "coordinator")

    assert launch.env["PERLES_MCP_TOKEN"] == "secret"
    assert "secret" not in " ".join(launch.argv)
    assert b'"body": "hello"' in launch.stdin
