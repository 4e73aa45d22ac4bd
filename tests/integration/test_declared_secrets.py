"""secrets: read at the start of a task, stored nowhere, masked everywhere; and what goes wrong."""

from pathlib import Path
from typing import Any

import pytest

from perles.domain.errors import UsageError
from perles.templates.pipeline import read_pipeline
from tests.integration.cli import Home
from tests.postgres.homes import kept_in

OF_COMMAND, OF_ENVIRONMENT = "harmless-looking-text", "another-such-text"


def test_a_declared_secret_reaches_the_command_and_nothing_else(home: Home) -> None:
    (home.work / "vault").write_text(OF_COMMAND + "\n")
    home.environ["PLAIN_NAME"] = OF_ENVIRONMENT
    both = 'echo "${#WORD}"; echo "$WORD"; echo "{{ tasks.a.output }}"'
    of_command = {"WORD": {"command": "cat vault"}}
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo $WORD", "secrets": of_command},
        {"key": "b", "run": both, "after": ["a"], "secrets": of_command},
        {"key": "c", "run": "echo ${#PLAIN_NAME} $PLAIN_NAME", "secrets": ["PLAIN_NAME"]},
    ]
    assert home.perles("run", home.pipeline("p", tasks)).returncode == 0
    id = home.only()
    found = {task["key"]: task for task in home.json("show", id, "--json")["tasks"]}
    assert found["a"]["output_tail"] == ["***"]
    assert found["b"]["output_tail"] == [str(len(OF_COMMAND)), "***", "***"]
    assert found["c"]["output_tail"] == [f"{len(OF_ENVIRONMENT)} ***"]
    shown = "".join(
        home.perles(*args).stdout
        for args in (("logs", id), ("events", id, "--json"), ("show", id, "--env"))
    )
    assert OF_COMMAND not in shown
    assert "secret WORD" in shown
    assert OF_COMMAND.encode() not in kept_in(home.root)


def test_a_secret_that_cannot_be_read_fails_the_task_with_the_reason(home: Home) -> None:
    def task(key: str, **secrets: Any) -> dict[str, Any]:
        return {"key": key, "run": "touch ran", "secrets": secrets}

    tasks = [
        task("hangs", T={"command": "echo begun; sleep 61", "timeout": "500ms"}),
        task("fails", T={"command": "echo word; exit 4"}),
        task("endless", T={"command": "yes"}),
        task("silent", T={"command": "true"}),
        {"key": "missing", "run": "touch ran", "secrets": ["NOT_SET_ANYWHERE"]},
    ]
    assert home.perles("run", home.pipeline("p", tasks)).returncode == 1
    why = {
        task["key"]: task["failure"] for task in home.json("show", home.only(), "--json")["tasks"]
    }
    assert "did not end within 0.5s" in why["hangs"]
    assert "exit 4" in why["fails"]
    assert "over 64 KiB" in why["endless"] or "did not end" in why["endless"]
    assert "printed nothing" in why["silent"]
    assert "NOT_SET_ANYWHERE is not in the environment" in why["missing"]
    assert not (home.work / "ran").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secrets: A", "expected keys and values"),
        ("secrets: [a-b]", "no name of a variable"),
        ("secrets: {A: x}", "expected keys and values"),
        ("secrets: {A: {}}", "command is missing"),
        ("secrets: {A: {comand: x}}", "did you mean 'command'"),
        ("secrets: {A: {command: x, timeout: 11m}}", "at most 10m"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"name: x\ntasks:\n- key: a\n  run: x\n  {text}\n")
    with pytest.raises(UsageError, match=rf"p\.yaml:5: .*{said}"):
        read_pipeline(path)
