"""The configuration: files, environment, origins, and mistakes that name their place."""

import re
from pathlib import Path

import pytest

from perles.config import load
from perles.config.model import Config
from perles.domain.errors import UsageError
from tests.integration.cli import Home

SEED = """\
orchestration:
  control_plane:
    resource_policy:
      max_workflows_running: 5
      max_workers: 10
      max_ai_calls: 5
      token_budget: 0
      port_range_start: 9000
      port_range_end: 9100
    health_policy:
      heartbeat_timeout: 2m
      progress_timeout: 5m
      max_recoveries: 3
      enable_auto_nudge: false
"""
WRONG = {
    "orchestration: {control_plane: {resource_policy: {max_workrs: 1}}}": "max_workers",
    "orchestration: {control_plan: {}}": "control_plane",
    "orchestation: {}": "orchestration",
    "orchestration: {control_plane: {resource_policy: {max_workers: lots}}}": "whole number",
    "orchestration: {control_plane: {resource_policy: {max_workers: 0}}}": "at least 1",
    "orchestration: {control_plane: {resource_policy: {port_range_start: 80}}}": "1024",
    "orchestration: {control_plane: {resource_policy: {port_range_end: 8000}}}": "is empty",
    "orchestration: {control_plane: {resource_policy: {port_range_end: 70000}}}": "65535",
    "orchestration: {control_plane: {resource_policy: {max_ai_calls: -1}}}": "at least 1",
    "orchestration: {control_plane: {resource_policy: {token_budget: -1}}}": "at least 0",
    "orchestration: {control_plane: {resource_policy: {cost_budget: much}}}": "expected a number",
    "orchestration: {control_plane: {resource_policy: {cost_budget: -1}}}": "0 or more",
    "orchestration: {control_plane: {resource_policy: {on_budget_exhausted: cry}}}": "fail, pause",
    "orchestration: {control_plane: {resource_policy: {prices: {m: {inptu: 3}}}}}": "input",
    "orchestration: {control_plane: {resource_policy: {prices: {m: {input: 3}}}}}": "output is",
    "orchestration: {control_plane: {health_policy: {heartbeat_timeout: 5}}}": "90s",
    "orchestration: {control_plane: {health_policy: {enable_auto_nudge: perhaps}}}": "true or",
    "orchestration: {control_plane: {health_policy: {on_exhausted: cry}}}": "fail, pause, alert",
    "orchestration: [1]": "keys and values",
}

ORIGINAL = """\
auto_refresh: true
views: []
ui: {}
theme: {mode: dark}
beads_dir: .beads
flags: {}
orchestration:
  client: claude
  coordinator_client: claude
  worker_client: codex
  observer_client: claude
  observer_enabled: false
  claude: {model: claude-opus-4-5, env: {A: b}}
  claude_worker: {model: x, env: {A: b}}
  claude_observer: {model: x}
  codex_reviewer: {model: x}
  amp: {model: opus, mode: smart}
  codex: {model: x}
  gemini: {model: x}
  opencode: {model: x}
  api_port: 0
  templates: {document_path: docs/proposals}
  session_storage: {base_dir: /tmp/x, application_name: x}
  workflows: [{name: a, description: b, enabled: true}]
  timeouts: {worktree_creation: 30s, coordinator_start: 60s, workspace_setup: 30s, max_total: 120s}
  tracing: {enabled: false, exporter: x, file_path: x, otlp_endpoint: x, sample_rate: 1.0}
  sound: {events: {}}
sound: {events: {workflow_complete: {enabled: true, override_sounds: []}}}
"""
"""What a user of the original may have in the file."""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_the_seed_is_the_default(tmp_path: Path) -> None:
    assert load.load(config_file=_file(tmp_path, SEED), environ={}) == Config()


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_names_file_line_and_what_to_do(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, text)

    with pytest.raises(UsageError) as refused:
        load.load(config_file=path, environ={})

    assert f"{path}:1:" in str(refused.value)
    assert WRONG[text] in str(refused.value)


def test_the_environment_is_over_the_file_and_origins_tell(tmp_path: Path) -> None:
    path = _file(tmp_path, "orchestration: {control_plane: {resource_policy: {max_workers: 4}}}")
    name = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKERS"
    nudge = "PERLES_CONTROL_PLANE__HEALTH_POLICY__ENABLE_AUTO_NUDGE"

    plain = load.load(config_file=path, environ={})
    over = load.load(config_file=path, environ={name: "3", nudge: "true"})
    origins = {
        setting.key.rpartition(".")[2]: (setting.value, setting.origin)
        for setting in load.explain(config_file=path, environ={nudge: "true"})
        if "_policy." in setting.key
    }

    assert (plain.resource_policy.max_workers, over.resource_policy.max_workers) == (4, 3)
    assert over.health_policy.enable_auto_nudge is True
    assert origins["max_workers"] == ("4", f"{path}:1")
    assert origins["enable_auto_nudge"] == ("true", f"environment {nudge}")
    assert origins["max_ai_calls"] == ("5", "default")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKRS", "3"),
        ("PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKERS", "x"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: "):
        load.load(environ={name: value, "XDG_CONFIG_HOME": "/nowhere"})


def test_the_repository_is_over_the_user(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, preset in (
        (tmp_path / "config" / "perles", "light"),
        (home.work / ".perles", "dark"),
    ):
        folder.mkdir(parents=True)
        colors = '{text.muted: "#999999"}'
        text = f"theme: {{preset: {preset}, colors: {colors}}}"
        (folder / "config.yaml").write_text(
            text.replace(f", colors: {colors}", "") if preset == "dark" else text
        )

    shown = {setting["key"]: setting["value"] for setting in home.json("config", "show", "--json")}

    assert shown["theme.preset"] == "dark"
    assert "#999999" in shown["theme.colors"]


def test_an_origin_names_the_winner_and_what_it_won_over(tmp_path: Path, home: Home) -> None:
    files = [tmp_path / "config" / "perles" / "config.yaml", home.work / ".perles" / "config.yaml"]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("theme:\n  preset: light\n")
    name = "PERLES_THEME__PRESET"
    home.environ[name] = "high-contrast"

    shown = {setting["key"]: setting for setting in home.json("config", "show", "--json")}

    setting = shown["theme.preset"]
    assert setting["value"] == "high-contrast"
    assert setting["origin"] == f"environment {name} over {files[1]}:2 over {files[0]}:2"
    assert f"{files[1]}:2" in home.perles("config", "show", "--origin").stdout


def test_keys_of_the_original_are_accepted_and_told(home: Home) -> None:
    path = home.work / "c.yaml"
    path.write_text(SEED + "  claude: {model: opus}\nviews: []\ntheme: {mode: dark}\n")

    result = home.perles("--config", path, "config", "check")

    assert result.returncode == 0, result.stderr
    assert "theme.mode has no effect" in result.stderr
    assert "views has no effect" in result.stderr


def test_every_key_of_the_original_is_accepted(tmp_path: Path) -> None:
    path = _file(tmp_path, ORIGINAL)

    load.load(config_file=path, environ={})

    told = {text.rpartition(" ")[2] for text in load.ignored_keys([path])}
    assert told == {
        *("auto_refresh", "views", "ui", "theme.mode", "beads_dir", "sound", "flags"),
        "orchestration.api_port",
        *(f"orchestration.{name}" for name in ("session_storage", "workflows", "tracing", "sound")),
        *(f"orchestration.timeouts.{name}" for name in ("worktree_creation", "max_total")),
        *(f"orchestration.timeouts.{name}" for name in ("coordinator_start", "workspace_setup")),
    }


def test_init_writes_a_file_that_check_finds_fine(home: Home) -> None:
    assert home.perles("config", "init").returncode == 0
    path = home.work / ".perles" / "config.yaml"

    assert "coordinator_client: claude" in path.read_text()
    checked = home.perles("config", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert home.perles("config", "init").returncode == 2  # it is there already
    assert home.perles("config", "init", "--force").returncode == 0


def test_init_writes_into_a_repositorys_file_only_what_counts_there(home: Home) -> None:
    home.perles("config", "init")
    path = home.work / ".perles" / "config.yaml"
    bare = re.sub(r"^( *)# (\w+: )", r"\1\2", path.read_text(), flags=re.MULTILINE)
    path.write_text(bare.replace("  worker_client: codex", "  worker_client: mycli"))

    told = home.perles("config", "check")

    assert told.returncode == 0, told.stderr
    assert "providers is not used: not trusted" in told.stderr
    assert "belongs to the engine" not in told.stderr
    home.perles("config", "init", "--user")
    assert "max_workers: 10" in home.config_file.read_text()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("preset: lihgt", "did you mean 'light'?"),
        ('colors: {text.mutted: "#888"}', "did you mean 'text.muted'?"),
        ('colors: {text: {mutted: "#888"}}', "did you mean 'text.muted'?"),
        ("colors: {text.muted: bright_bleu}", "did you mean 'bright_blue'?"),
        ("colors: {text.muted: '#12345'}", "write #rrggbb"),
        ("colors:\n    text.muted: #fff", "stands in quotes"),
        ("colors: red", "expected keys and values"),
    ],
)
def test_a_wrong_theme_is_told_in_one_line(home: Home, written: str, said: str) -> None:
    path = home.work / "c.yaml"
    path.write_text(f"theme:\n  {written}\n")

    for command in (["config", "check"], ["dashboard", "--once"]):
        result = home.perles("--config", path, *command)

        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"perles: cannot use {path}:")
        assert said in line


def test_a_theme_with_names_of_the_original_is_fine(home: Home) -> None:
    path = home.work / "c.yaml"
    colors = 'colors: {button.primary.bg: "#111111", text: {muted: "#FAB"}, border.focus: Cyan}'
    path.write_text(f"theme: {{preset: default, {colors}}}\n")

    shown = home.json("--config", path, "config", "show", "--json")
    checked = home.perles("--config", path, "config", "check")

    assert "theme.colors.button.primary.bg has no effect" in checked.stderr
    values = {setting["key"]: setting["value"] for setting in shown}
    assert values["theme.preset"] == "dark"
    assert values["theme.colors"] == '{text.muted: "#ffaabb", border.focus: "cyan"}'
