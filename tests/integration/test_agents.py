"""Agents of other CLIs, as small programs that behave like them: prompts, reports, limits, ends."""

import json
import os
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.domain.explanations import moment
from perles.executor.local.processes import family
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE, Home
from tests.integration.scripted_cli import cli, configure, program, prompted, task_of

PLAIN = """\
import sys
prompt = sys.stdin.read()
open("prompt.txt", "w").write(prompt)
print("a line of work")
print("the answer is 42")
"""
LINES = """\
import json, os, sys
session = sys.argv[2] if sys.argv[1:2] == ["--resume"] else "s-1"
seen = open("seen.txt", "a")
seen.write(session + " " + str("--resume" in sys.argv) + "\\n")
sys.stdin.read()
print(json.dumps({"id": session, "text": "thinking"}))
print(json.dumps({"id": session, "text": "result of " + session, "usage": {"in": 10, "out": 2}}))
"""


def test_a_plain_text_cli_reports_by_its_last_text(home: Home) -> None:
    cli(home, PLAIN)

    result = home.perles("run", prompted(home, "What is it? -- 'quoted' ünd `ticks`"))

    assert result.returncode == 0, result.stderr
    assert task_of(home)["summary"] == "a line of work\nthe answer is 42"
    assert "What is it? -- 'quoted' ünd `ticks`" in (home.work / "prompt.txt").read_text()


def test_a_json_lines_cli_resumes_its_session_and_counts(home: Home) -> None:
    path = program(home, "mycli", LINES)
    paths = {"session_id": "id", "text": "text", "tokens_in": "usage.in", "tokens_out": "usage.out"}
    configure(
        home,
        providers={
            "mycli": {
                "type": "command",
                "argv": [path],
                "resume": [path, "--resume", "{session_id}"],
                "output": "jsonl",
                "paths": paths,
            }
        },
    )
    tasks: list[dict[str, Any]] = [
        {"key": "one", "prompt": "One.", "worker": "mycli"},
        {"key": "two", "prompt": "Two.", "worker": "mycli", "after": ["one"]},
    ]

    result = home.perles("run", home.pipeline("p", tasks, workers=1))

    assert result.returncode == 0, result.stderr
    assert (home.work / "seen.txt").read_text() == "s-1 False\ns-1 True\n"
    shown = home.json("show", home.only(), "--json")
    assert shown["tokens_used"] == 24
    (worker,) = [a for a in home.json("agents", "p", "--json") if a["role"] == "worker"]
    assert (worker["tokens_in"], worker["tokens_out"], worker["turns"]) == (20, 4, 2)


def test_an_output_goes_into_later_prompts_and_quoted_into_commands(home: Home) -> None:
    cli(home, "import sys\nprint(sys.stdin.read().rpartition('<')[2].rpartition('>')[0])")
    given = "a; touch owned $(touch owned) 'x'"
    tasks: list[dict[str, Any]] = [
        {"key": "first", "run": f'printf %s "{given}"'.replace("$", "\\$")},
        {
            "key": "ask",
            "prompt": "Say it again: <{{ tasks.first.output }}>",
            "worker": "mycli",
            "after": ["first"],
        },
        {"key": "last", "run": "printf %s {{tasks.ask.output}} > said", "after": ["ask"]},
    ]

    result = home.perles("run", home.pipeline("p", tasks))

    assert result.returncode == 0, result.stdout + result.stderr
    assert (home.work / "said").read_text() == given
    assert not (home.work / "owned").exists()


def test_two_kinds_of_workers_take_turns_where_there_is_room_for_one(home: Home) -> None:
    cli(home, "print('fine')")
    tasks: list[dict[str, Any]] = []
    for number in range(3):
        after = [tasks[-1]["key"]] if tasks else []
        tasks.append({"key": f"run{number}", "run": "true", "after": after})
        key = f"ask{number}"
        tasks.append({"key": key, "prompt": "Hm?", "worker": "mycli", "after": [f"run{number}"]})

    result = home.perles("run", home.pipeline("p", tasks, workers=1))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("failure", ["import sys; sys.exit('it broke')", "import os; os.abort()"])
def test_a_cli_that_fails_fails_the_task_with_what_it_said(home: Home, failure: str) -> None:
    cli(home, failure)

    result = home.perles("run", prompted(home))

    assert result.returncode == 1
    assert ("it broke" in task_of(home)["failure"]) or ("SIGABRT" in task_of(home)["failure"])


def test_a_rate_limit_is_waited_out_and_the_message_is_kept(home: Home) -> None:
    cli(
        home,
        "import os, sys\n"
        "if not os.path.exists('tried'):\n"
        "    open('tried', 'w')\n"
        "    sys.exit('429 Too Many Requests, retry in 1s')\n"
        "print('done after all')\n",
    )

    result = home.perles("run", prompted(home))

    assert result.returncode == 0, result.stderr
    assert task_of(home)["attempt"] == 1
    (limited,) = [e for e in home.events() if e["type"] == "agent.rate_limited"]
    assert limited["payload"]["error_class"] == "rate_limited"
    assert not limited["payload"]["whole_provider"]


def test_a_used_up_quota_holds_the_whole_provider_over_a_restart(home: Home) -> None:
    cli(
        home,
        "import sys\nif '--version' in sys.argv: sys.exit()\nopen('turns', 'a').write('x')\n"
        "sys.exit('You have hit your usage limit. Try again in 3 hours 12 minutes.')\n",
    )
    engine = home.popen("serve")
    first = home.json("create", prompted(home), "--json")["id"]
    assert home.perles("start", first).returncode == 0
    home.wait_for("the hold", lambda: "agent.rate_limited" in {e["type"] for e in home.events()})
    engine.kill()
    engine.communicate()
    engine = home.popen("serve")
    second = home.json("create", prompted(home), "--json")["id"]
    assert home.perles("start", second).returncode == 0
    home.wait_for(
        "the second workflow's worker",
        lambda: any(a["role"] == "worker" for a in home.json("agents", second, "--json")),
    )
    home.perles("send", second, "anything new?")

    (mine,) = [p for p in home.json("providers", "--json") if p["name"] == "mycli"]
    worker = next(a for a in home.json("agents", second, "--json") if a["role"] == "worker")

    until = mine["held_until"]
    assert worker["held_until"] == until is not None
    said = f"rate limited until {moment(until)} (mycli)"
    home.wait_for("both to be listed", lambda: home.perles("list").stdout.count(said) == 2)
    for row in home.json("list", "--json"):
        assert said in row["waits_for"]
    assert said in home.perles("show", second).stdout
    assert (home.work / "turns").read_text() == "x"
    assert worker["turns"] == 0
    engine.terminate()
    engine.communicate(timeout=DEADLINE)


def test_an_agent_gets_no_variable_that_nobody_named(home: Home) -> None:
    path = program(home, "mycli", "import json, os\nprint(json.dumps(dict(os.environ)))")
    mycli = {
        "type": "command",
        "argv": [path],
        "env": {"GIVEN": "x${NAMED}y"},
        "pass_env": ["PASSED_*"],
    }
    configure(home, providers={"mycli": mycli})
    environ = {"NAMED": "n", "PASSED_ON": "1", "MY_SECRET": "s", "AWS_SECRET_ACCESS_KEY": "k"}

    result = home.perles("run", prompted(home), timeout=DEADLINE, **environ)

    assert result.returncode == 0, result.stderr
    seen = json.loads(task_of(home)["summary"])
    assert (seen["GIVEN"], seen["PASSED_ON"], seen["HOME"]) == ("xny", "1", os.environ["HOME"])
    assert not {"MY_SECRET", "AWS_SECRET_ACCESS_KEY", "NAMED"} & set(seen)


def test_a_message_is_sent_to_an_agent_once_and_shown(home: Home) -> None:
    id = home.json("create", home.pipeline("p", [{"key": "a", "run": "sleep 61"}]), "--json")["id"]
    engine = home.popen("serve")
    home.perles("start", id)
    home.wait_for("the worker", lambda: "worker.spawned" in {e["type"] for e in home.events()})

    sent = home.perles("send", id, "look", "here")
    unknown = home.perles("send", id, "--to", "worker-9", "hello")
    empty = home.perles("send", id, " ")

    assert (sent.returncode, unknown.returncode, empty.returncode) == (0, 3, 2)
    assert "worker-1" in unknown.stderr
    said = [e["payload"] for e in home.events() if e["type"] == "coordinator.incoming"]
    assert [one["text"] for one in said if one["kind"] == "user"] == ["look here"]
    assert home.perles("stop", id, "--force").returncode == 0
    late = home.perles("send", id, "too late")
    assert (late.returncode, "it is stopped" in late.stderr) == (4, True)
    engine.terminate()
    engine.communicate(timeout=DEADLINE)


@pytest.mark.parametrize(
    ("orchestration", "said"),
    [
        ({"client": "claud"}, "did you mean 'claude'"),
        ({"claude": {"modell": "opus"}}, "config.yaml:3: orchestration.claude.modell: unknown key"),
        ({"claude": {"env": {"1x": "y"}}}, "is no name of a variable"),
        ({"providers": {"x": {"argv": ["a"]}}}, "type is missing"),
        ({"providers": {"x": {"type": "command"}}}, "argv is missing"),
        ({"providers": {"claude": {"type": "command", "argv": ["a"]}}}, "orchestration.claude"),
        (
            {"providers": {"x": {"type": "command", "argv": ["a", "{promt}"]}}},
            "unknown placeholder {promt}",
        ),
        ({"providers": {"x": {"type": "command", "argv": ["a"], "output": "xml"}}}, "jsonl, text"),
        ({"sandbox": "bubblewrapp"}, "did you mean 'bubblewrap'"),
    ],
)
def test_a_wrong_configuration_is_named(home: Home, orchestration: Any, said: str) -> None:
    configure(home, **orchestration)

    result = home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}]))

    assert result.returncode == 2
    assert said in result.stderr


def test_what_is_missing_is_said_before_anything_is_stored(home: Home) -> None:
    missing = configure(home, providers={"mycli": {"type": "command", "argv": ["no-such-cli"]}})
    not_there = home.perles("create", prompted(home))
    path = program(home, "mycli", "print()")
    mycli = {"type": "command", "argv": [path], "env": {"KEY": "${UNSET_KEY}"}}
    configure(home, providers={"mycli": mycli})
    unset = home.perles("create", prompted(home))
    (home.work / "mycli").chmod(0o600)
    configure(home, providers={"mycli": {"type": "command", "argv": [path]}})
    not_executable = home.perles("create", prompted(home))

    assert (not_there.returncode, unset.returncode, not_executable.returncode) == (2, 2, 2)
    assert "cannot find no-such-cli: it is not in PATH" in not_there.stderr
    assert f"{missing}:" in unset.stderr
    assert "${UNSET_KEY} is not set" in unset.stderr
    assert "chmod +x" in not_executable.stderr
    assert home.json("list", "--json") == []


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"key": "a"}, "either run, a command, or prompt"),
        ({"key": "a", "run": "x", "prompt": "y"}, "either run"),
        ({"key": "a", "run": "x", "worker": "claude"}, "is for tasks with a prompt"),
        ({"key": "a", "prompt": "y", "worker": "a b"}, "write a provider"),
        ({"key": "a", "prompt": "y", "worker": "builtin"}, "only run commands"),
        ({"key": "a", "run": "echo {{ tasks.b.output }}"}, "does not wait for 'b'"),
        ({"key": "a", "run": "echo {{ tasks.a.failure }}"}, "only .output"),
        ({"key": "a", "prompt": " "}, "give the instructions for the agent"),
    ],
)
def test_a_wrong_prompt_task_is_named(home: Home, task: dict[str, Any], said: str) -> None:
    result = home.perles("create", home.pipeline("p", [task]))

    assert result.returncode == 2
    assert said in result.stderr


def test_braces_of_other_programs_are_left_alone(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "echo '{{ .State }} {{x}}' > said"}])

    assert home.perles("run", file).returncode == 0
    assert (home.work / "said").read_text() == "{{ .State }} {{x}}\n"


def test_a_goal_needs_a_coordinator_that_can_plan(home: Home) -> None:
    result = home.perles("create", "make it better", "--coordinator", "builtin")

    assert result.returncode == 2
    assert "--coordinator claude" in result.stderr


def test_who_chooses_a_coordinator_means_its_workers_too(home: Home) -> None:
    """Unless the configuration says who works: nobody needs a CLI that nobody named."""
    path = program(home, "mycli", "print()")
    for name in ("codex", "gemini"):
        program(home, name, "print()")
    home.environ |= {"PATH": f"{home.work}:/usr/bin:/bin", "HOME": str(home.root)}

    def workers(*options: str) -> str:
        created = home.perles("create", "a goal", *options, "--json")
        assert created.returncode == 0, created.stderr
        with closing(dbapi.connect(home.database)) as connection, connection:
            query = "SELECT worker_provider, worker_model FROM workflows WHERE id = ?"
            id = json.loads(created.stdout)["id"]
            name, model = connection.execute(query, (id,)).fetchone()
        return f"{name}:{model}" if model else str(name)

    assert workers("--coordinator", "codex:small") == "codex:small"
    assert workers("--coordinator", "codex", "--worker", "gemini") == "gemini"
    configure(home, worker_client="gemini", gemini={"executable": path})
    assert workers("--coordinator", "codex") == "gemini"


def test_providers_tells_what_is_here(home: Home) -> None:
    cli(home, "print('mycli 1.2.3')")

    found = {provider["name"]: provider for provider in home.json("providers", "--json")}

    assert {"builtin", "claude", "codex", "gemini", "opencode", "amp", "mycli"} <= set(found)
    assert (found["mycli"]["found"], found["mycli"]["version"]) == (True, "1.2.3")
    assert found["builtin"]["found"]


def test_a_sandboxed_agent_writes_to_its_work_dir_and_nowhere_else(home: Home) -> None:
    if not any((Path(folder) / "bwrap").exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip("bwrap is not installed: the sandbox is not tested here")
    outside = home.work.parent / "outside"
    outside.mkdir()
    program = home.work / "mycli"  # plain sh: an interpreter below /tmp is hidden from it
    tries = f"(: > {shlex.quote(str(outside / 'x'))}) 2>/dev/null || echo refused"
    program.write_text(f"#!/bin/sh\n: > inside\n{tries}\n")
    program.chmod(0o755)
    mycli = {"type": "command", "argv": [str(program)]}
    configure(home, providers={"mycli": mycli}, sandbox={"worker": "bubblewrap"})

    result = home.perles("run", prompted(home))

    assert result.returncode == 0, result.stdout + result.stderr
    assert "refused" in task_of(home)["summary"]
    assert (home.work / "inside").exists()
    assert list(outside.iterdir()) == []
    assert family([f"PERLES_WORKFLOW={home.only()}"]) == []


def test_a_sandbox_that_is_not_there_is_refused(home: Home) -> None:
    path = program(home, "mycli", "print()")
    mycli = {"type": "command", "argv": [path]}
    configure(home, providers={"mycli": mycli}, sandbox={"worker": "bubblewrap"})

    result = home.perles("create", prompted(home), PATH=str(home.work))

    assert result.returncode == 2
    assert "bwrap is not installed" in result.stderr
