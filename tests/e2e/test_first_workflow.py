"""The commands of `docs/agents.md`, run as they are written by somebody with a clean home."""

import json
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import clis
from tests.e2e.conftest import Agents
from tests.e2e.model import Asked, Reply
from tests.e2e.test_real_agents import has_task, worker_is
from tests.e2e.test_whose_tools import does_the_test
from tests.integration.cli import DEADLINE

Scripted = Callable[..., Agents]
NAMES = list(clis.PACKAGES)
PAGE = Path(__file__).parents[2] / "docs" / "agents.md"


def _written() -> tuple[list[str], list[str]]:
    """The commands of the page's first part: before, and while a workflow runs."""
    text = PAGE.read_text().partition("## Prompts in a pipeline")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [
        [line.partition("  #")[0].rstrip() for line in block.splitlines()] for block in blocks
    ]
    ours = [lines for lines in commands if lines[0].startswith("perles")]
    return [line for lines in ours[:-1] for line in lines], ours[-1]


def _of(name: str) -> list[str]:
    """Those that this CLI alone can do, and the ones for everybody."""
    others = set(NAMES) - {name}
    return [line for line in _written()[0] if not any(other in line for other in others)]


def _logged_in(agents: Agents, name: str) -> None:
    """What a person has after the installation: the program in PATH, and a login."""
    home = agents.cli_home
    agents.use(name)
    clis.prepare_home(agents.model.url, home)
    (agents.root.parent / "config.yaml").write_text("{}\n")
    agents.environ.pop("PERLES_CONFIG")
    here = Path(agents.argv()[0]).parent
    agents.environ |= {
        "HOME": str(home),
        "PATH": f"{agents.programs[name].parent}:{here}:{agents.environ['PATH']}",
        "ANTHROPIC_BASE_URL": agents.model.url,
        "ANTHROPIC_API_KEY": clis.KEY,
        "GOOGLE_GEMINI_BASE_URL": agents.model.url,
        "GEMINI_API_KEY": clis.KEY,
        "OPENAI_API_KEY": clis.KEY,
        "XDG_CONFIG_HOME": str(home / ".config"),
    }
    codex = home / ".codex"
    codex.mkdir()
    (codex / "config.toml").write_text(
        # The newest models are offered tools in a form that the scripted model does not know.
        'model = "gpt-5-codex"\nmodel_provider = "scripted"\n[model_providers.scripted]\n'
        f'name = "scripted"\nbase_url = "{agents.model.url}/v1"\nenv_key = "OPENAI_API_KEY"\n'
        'wire_api = "responses"\n'
    )
    opencode = home / ".config" / "opencode" / "opencode.json"
    config = json.loads(opencode.read_text().replace("SCRIPTED_KEY", "OPENAI_API_KEY"))
    opencode.write_text(json.dumps({**config, "model": "scripted/fast"}))


@pytest.mark.parametrize("name", NAMES)
def test_the_first_workflow_goes_as_it_is_written(scripted: Scripted, name: str) -> None:
    go, begun = threading.Event(), threading.Event()

    def ask(asked: Asked) -> Reply | None:
        if has_task(asked):
            tool = "ask_person" if asked.has("ask_person") else "ask_user"
            return Reply(call=tool, arguments={"question": "Tabs or spaces?"})
        if asked.after.endswith(("ask_user", "ask_person")):
            begun.set()
            go.wait(120)
            return Reply(call="signal_ready")
        return None

    agents = scripted(worker_is(ask))
    _logged_in(agents, name)
    *before, last = _of(name)
    usual = agents.model.script
    agents.model.script = lambda asked: does_the_test(asked, usual)

    for command in before:
        done = _shell(agents, command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    agents.model.script = usual
    (agents.work / "notes.txt").write_text("a note")
    run = subprocess.Popen(
        last, shell=True, cwd=agents.work, env=agents.environ, stdout=subprocess.PIPE, text=True
    )
    agents.wait_for("the worker's turn", begun.is_set)
    (row,) = agents.json("list", "--state", "running", "--json")
    for command in _written()[1]:
        if "--follow" in command:
            go.set()
        done = _shell(agents, command.replace("ID", row["id"]))
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    said, _ = run.communicate(timeout=DEADLINE)
    assert run.returncode == 0, said
    assert "report_implementation_complete" in done.stdout


def _shell(agents: Agents, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        shell=True,
        cwd=agents.work,
        env=agents.environ,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_page_names_every_cli_in_its_commands() -> None:
    before, during = _written()

    for name in NAMES:
        assert any(line.endswith(f"--coordinator {name}") for line in before)
        assert f"perles providers test {name}" in before
    assert any("--follow" in line for line in during)
