"""qwen-code as docs/agents.md describes it, and amp as far as it goes without an account."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from perles.agents.provider import TurnContext, find
from perles.config.provider_settings import ProviderSettings
from tests.e2e import clis, scripts
from tests.e2e.conftest import Agents
from tests.e2e.test_first_workflow import PAGE

Scripted = Callable[..., Agents]


def _installed(agents: Agents, name: str) -> Path:
    """The program, first in PATH; the test is skipped where npm cannot give it."""
    try:
        if agents.version != "pinned" and clis.package_of(name, agents.version) in (
            clis.OTHERS.values()
        ):
            pytest.skip(f"the newest {name} is the pinned one")
        program = clis.install(name, agents.version)
    except OSError as error:
        pytest.skip(f"NOT TESTED against the real {name}: {error}")
    agents.environ["PATH"] = f"{program.parent}:{agents.environ['PATH']}"
    return program


def _configure(agents: Agents, orchestration: dict[str, Any]) -> None:
    file = Path(agents.environ["PERLES_CONFIG"])
    file.write_text(yaml.safe_dump({"orchestration": orchestration}))


def _example() -> dict[str, Any]:
    """What docs/agents.md says of qwen-code."""
    (block,) = re.findall(r"### An example: qwen-code.*?```yaml\n(.*?)```", PAGE.read_text(), re.S)
    found: dict[str, Any] = yaml.safe_load(block)["orchestration"]
    return found


def test_qwen_works_as_the_page_says(scripted: Scripted) -> None:
    agents = scripted()
    _installed(agents, "qwen")
    _configure(agents, _example())
    own = agents.cli_home
    own.mkdir()
    agents.environ |= {
        "HOME": str(own),
        "OPENAI_API_KEY": clis.KEY,
        "OPENAI_BASE_URL": f"{agents.model.url}/v1",
        "OPENAI_MODEL": "fast",
    }

    id = agents.begin("qwen", "qwen")

    assert agents.ended(id) == "completed"
    shown = agents.json("show", id, "--json")
    billed = agents.model.billed
    assert shown["reason"] == scripts.SUMMARY
    assert shown["tokens_used"] == billed["in"] + billed["out"]
    second = [asked for asked, _ in agents.model.asked if "reports on task" in asked.last]
    assert any("bring the goal about" in user for user in second[0].users)
    status = ["git", "status", "--porcelain", "--ignored"]
    left = subprocess.run(status, cwd=agents.work, capture_output=True, text=True, check=True)
    assert left.stdout == ""


def test_amp_without_a_login_says_how_to_log_in(scripted: Scripted) -> None:
    agents = scripted()
    program = _installed(agents, "amp")
    _configure(agents, {"amp": {"executable": str(program)}})
    agents.environ["HOME"] = str(agents.root)

    result = agents.perles("run", "do it", "--coordinator", "amp")

    assert result.returncode == 1
    assert "log in with `amp login`" in result.stdout + result.stderr
    assert agents.types().count("turn.failed") == 1


def test_amp_that_reaches_no_server_waits_for_it(scripted: Scripted) -> None:
    agents = scripted()
    program = _installed(agents, "amp")
    nowhere = {"AMP_URL": "http://127.0.0.1:9", "AMP_API_KEY": "sgamp_user_0123456789"}
    _configure(agents, {"amp": {"executable": str(program), "env": nowhere, "mode": "high"}})
    agents.environ["HOME"] = str(agents.root)

    id = agents.begin("amp", "amp")

    agents.wait_for("the outage", lambda: "agent.offline" in agents.types())
    assert agents.perles("stop", id).returncode == 0


def test_amp_takes_our_settings_as_allowing_everything(scripted: Scripted, tmp_path: Path) -> None:
    agents = scripted()
    program = _installed(agents, "amp")
    mine = tmp_path / ".config" / "amp" / "settings.json"
    mine.parent.mkdir(parents=True)
    mine.write_text('{"amp.mcpServers": {"other": {"url": "http://x"}}, "amp.mine": 1} // mine')
    turn = TurnContext(
        workflow_id="wf-a",
        agent="worker-1",
        role="worker",
        number=1,
        model=None,
        work_dir=tmp_path,
        folder=tmp_path,
        prompt="",
        mcp_url="http://127.0.0.1:9/mcp",
        token="secret",
        session_id=None,
        environ={"HOME": str(tmp_path), "PATH": agents.environ["PATH"]},
    )
    launch = find("amp", ProviderSettings("amp", executable=str(program))).launch(turn)
    settings = tmp_path / "settings.json"
    settings.write_bytes(launch.files["amp-settings.json"])

    command = [program, "permissions", "test", "--settings-file", settings]
    done = subprocess.run(
        [*map(str, command), "Bash", "--cmd", "git push --force"],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "action: allow" in done.stdout, done.stdout + done.stderr
    assert '"amp.mine": 1' in settings.read_text()
    assert "mcpServers" not in settings.read_text()
