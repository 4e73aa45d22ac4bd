"""Agents that are not there or behave badly: one clear line each, and the right exit code."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from perles.agents.executable import version_of
from perles.controlplane.plane import ControlPlane
from perles.executor.local.processes import family
from tests.integration.cli import DEADLINE, Home
from tests.integration.scripted_cli import (
    TOOLS,
    cli,
    configure,
    program,
    prompted,
    task_of,
    with_tools,
)

HANG = "import sys, time\nsys.stdout.flush()\ntime.sleep(61)\n"
HTML = "print('<!DOCTYPE html>\\n<html><body>502 Bad Gateway</body></html>')\n"
LINES = {"output": "jsonl", "paths": {"text": "text"}}
SILENCE = {"PERLES_TIMEOUTS__SILENCE": "1s"}


def _said(home: Home, result: "subprocess.CompletedProcess[str]") -> str:
    """The failure of the only task; a run that failed says it, and leaves nothing running."""
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    failure = str(task_of(home)["failure"])
    assert "\n" not in failure
    assert family([f"PERLES_WORKFLOW={home.only()}"]) == []
    return failure


@pytest.mark.parametrize(
    ("source", "more", "said"),
    [
        (HTML, LINES, "without a result; what it printed begins with '<!DOCTYPE html>'"),
        (HTML + "import sys; sys.exit(1)", LINES, "exit status 1: <!DOCTYPE html>"),
        ("", LINES, "it ended well but without a result"),
        ("print('{\"other\": 1}')", LINES, "it ended well but without a result"),
        ("", {}, "it ended well but without a result"),
        (
            "import sys; sys.exit('error: model nonsense-9 not found')",
            {"model": "nonsense-9"},
            "model nonsense-9 not found",
        ),
        ("import sys; sys.exit('error: unknown option --json')", {}, "unknown option --json"),
    ],
    ids=["html", "html-and-exit-1", "nothing", "no-text", "no-plain-text", "model", "old-version"],
)
def test_a_cli_that_misbehaves_fails_its_task_in_one_line(
    home: Home, source: str, more: dict[str, Any], said: str
) -> None:
    cli(home, source, **more)

    assert said in _said(home, home.perles("run", prompted(home)))


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode", "amp"])
def test_a_known_cli_that_prints_html_has_not_done_its_work(home: Home, name: str) -> None:
    configure(home, **{name: {"executable": program(home, name, HTML)}})

    result = home.perles("run", prompted(home, worker=name))

    failure = _said(home, result)
    begins = "<!DOCTYPE html>"
    assert (begins in failure) or (name == "gemini" and "where others may write" in failure)


@pytest.mark.parametrize("source", [HANG, "print('the answer', flush=True)\n" + HANG])
def test_a_cli_that_hangs_is_ended_after_its_silence(home: Home, source: str) -> None:
    cli(home, source)

    failure = _said(home, home.perles("run", prompted(home), timeout=DEADLINE, **SILENCE))

    assert failure.endswith(": it printed nothing for 1s (orchestration.timeouts.silence)")


def test_a_turn_that_told_its_result_and_lingers_has_succeeded(home: Home) -> None:
    """Its process is ended after the silence; its work is not done again."""
    result = '{"type":"result","subtype":"success","is_error":false,"result":"planned"}'
    source = (
        "import os, sys, time\n"
        "sys.stdin.read()\n"
        "is_reminded = os.path.exists('turns')\n"
        "if is_reminded:\n"
        "    tools = client(sys.argv[sys.argv.index('--mcp-config') + 1])\n"
        "    tools.call('signal_workflow_complete', status='success', summary='done')\n"
        f"print({result!r}, flush=True)\n"
        "open('turns', 'a').write('x')\n"
        "if not is_reminded:\n"
        "    time.sleep(61)\n"
    )
    configure(home, claude={"executable": program(home, "claude", TOOLS + source)})

    ran = home.perles("run", "a goal in words", timeout=DEADLINE, **SILENCE)

    assert ran.returncode == 0, ran.stderr
    assert (home.work / "turns").read_text() == "xx"
    assert "turn.failed" not in {event["type"] for event in home.events()}


def test_a_version_that_never_comes_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is what it began: that holds its output open."""
    monkeypatch.setattr("perles.agents.executable.VERSION_SECONDS", 0.3)
    path = tmp_path / "cli"
    path.write_text("#!/bin/sh\nsleep 61 &\nsleep 61\n")
    path.chmod(0o755)

    assert version_of(str(path), {**os.environ, "VERSION_TEST": str(tmp_path)}) is None
    assert family([f"VERSION_TEST={tmp_path}"]) == []


@pytest.mark.parametrize("word", ["{promt}", "{Model}", "{session-id}", "x={prompt_fil}"])
def test_an_unknown_placeholder_is_named_with_the_known_ones(home: Home, word: str) -> None:
    file = configure(home, providers={"x": {"type": "command", "argv": ["true", word]}})

    result = home.perles("create", prompted(home, worker="x"))

    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert f"{file}:" in result.stderr
    assert "unknown placeholder {" in result.stderr
    assert "known are model, prompt_file" in result.stderr
    assert home.json("list", "--json") == []


def test_braces_that_are_no_placeholder_stay_in_an_argv(home: Home) -> None:
    path = program(home, "mycli", "import sys\nprint(sys.argv[1])")
    mycli = {"type": "command", "argv": [path, '{"a": {}} {1} {}']}
    configure(home, providers={"mycli": mycli})

    assert home.perles("run", prompted(home)).returncode == 0
    assert task_of(home)["summary"] == '{"a": {}} {1} {}'


def test_a_prompt_of_five_megabytes_arrives_whole(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_tools(
        home,
        "import time\n"
        "if 'x' * 1000 not in prompt:\n"
        "    open('begun', 'w')\n"
        "    while not os.path.exists('go'): time.sleep(0.02)\n"
        "else:\n"
        "    open('length', 'w').write(str(prompt.count('x')))\n"
        "    tools.call('signal_workflow_complete', status='success', summary='read')\n",
    )
    id = home.json("create", "read it", "--coordinator", "mycli", "--json")["id"]
    engine = home.popen("serve")
    assert home.perles("start", id).returncode == 0
    home.wait_for("its first turn", (home.work / "begun").exists)
    monkeypatch.setenv("PERLES_HOME", str(home.root))
    for left in reversed(range(5)):  # commands are taken in order: the last one tells of all
        ControlPlane().send(id, "x" * 1_048_000, wait=left == 0)
    (home.work / "go").touch()

    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")
    assert int((home.work / "length").read_text()) >= 5_240_000
    engine.terminate()
    engine.communicate(timeout=DEADLINE)


def test_a_message_over_a_megabyte_is_refused(home: Home) -> None:
    id = home.json("create", home.pipeline("p", [{"key": "a", "run": "true"}]), "--json")["id"]

    sent = subprocess.run(
        home.argv("send", id),
        input="x" * (1024 * 1024 + 2),
        text=True,
        env=home.environ,
        cwd=home.work,
        capture_output=True,
        check=False,
    )

    assert sent.returncode == 2
    assert "over 1048576 characters; use a file" in sent.stderr


@pytest.mark.parametrize("given", ["stdin", "file"])
def test_a_prompt_that_begins_with_a_hyphen_is_no_option(home: Home, given: str) -> None:
    source = "import sys\nfile = sys.argv[1] if sys.argv[1:] else 0\nprint(open(file).read())"
    path = program(home, "mycli", source)
    argv = [path, "{prompt_file}"] if given == "file" else [path]
    configure(home, providers={"mycli": {"type": "command", "argv": argv, "prompt": given}})

    result = home.perles("run", prompted(home, "--help -rf /"))

    assert result.returncode == 0, result.stderr
    assert "--help -rf /" in task_of(home)["summary"]


def test_a_work_dir_with_spaces_quotes_and_umlauts_is_where_agents_work(home: Home) -> None:
    work = home.work / 'wörk \'n "dir" $HOME'
    work.mkdir()
    path = program(home, "mycli", "import os, sys\nprint(os.getcwd())\nprint(sys.argv[1])")
    configure(home, providers={"mycli": {"type": "command", "argv": [path, "{work_dir}"]}})

    result = home.perles("run", prompted(home), "--work-dir", work)

    assert result.returncode == 0, result.stderr
    assert task_of(home)["summary"] == f"{work}\n{work}"


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode", "amp"])
def test_a_known_cli_that_is_not_there_is_named_with_where_it_was_looked_for(
    home: Home, name: str
) -> None:
    result = home.perles(
        "create", prompted(home, worker=name), PATH=str(home.work), HOME=str(home.work)
    )
    configure(home, **{name: {"executable": "/nowhere/at/all"}})
    configured = home.perles("create", prompted(home, worker=name))
    file = home.work / name
    file.write_text("")
    configure(home, **{name: {"executable": str(file)}})
    not_executable = home.perles("create", prompted(home, worker=name))

    assert [r.returncode for r in (result, configured, not_executable)] == [2, 2, 2]
    assert f"cannot find {name}: it is not in PATH" in result.stderr
    assert "/nowhere/at/all" in configured.stderr
    assert "chmod +x" in not_executable.stderr
    assert home.json("list", "--json") == []


WORKS = "tools.call('signal_workflow_complete', status='success', summary='it works')\n"


def test_a_provider_that_works_is_said_to_work(home: Home) -> None:
    with_tools(home, WORKS)

    tried = home.perles("providers", "test", "mycli")

    assert tried.returncode == 0, tried.stderr
    assert tried.stdout.startswith("mycli works: one turn with a tool call in ")
    assert home.json("list", "--json") == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("pass", "it ended its turn without calling the tool"),
        ("sys.exit('401 unauthorized')", "to go on: check the login or key of mycli"),
        ("sys.exit('429 Too Many Requests, retry in 99s')", "it is limited until "),
    ],
)
def test_a_provider_that_does_not_work_is_said_to_fail(home: Home, source: str, said: str) -> None:
    with_tools(home, source)

    tried = home.perles("providers", "test", "mycli")
    (shown,) = home.json("list", "--json")

    assert tried.returncode == 1
    assert tried.stderr.startswith("perles: mycli does not work: ")
    assert said in tried.stderr
    assert f"perles logs {shown['id']}" in tried.stderr
    assert shown["state"] in ("failed", "stopped")


def test_a_provider_without_tools_is_tried_by_what_it_prints(home: Home) -> None:
    cli(home, "print('it works')")

    tried = home.json("providers", "test", "mycli", "--json")

    assert tried["works"], tried


def test_a_provider_that_is_unknown_or_missing_is_not_tried(home: Home) -> None:
    configure(home, providers={"mycli": {"type": "command", "argv": ["no-such-cli"]}})

    unknown = home.perles("providers", "test", "claud")
    missing = home.perles("providers", "test", "mycli")

    assert (unknown.returncode, missing.returncode) == (2, 2)
    assert "did you mean 'claude'" in unknown.stderr
    assert "cannot find no-such-cli" in missing.stderr
    assert home.json("list", "--json") == []
