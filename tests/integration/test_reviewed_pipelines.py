"""Pipelines whose tasks are reviewed, or hand on files: led by fixed rules, done by agents."""

from pathlib import Path
from typing import Any

from tests.integration.cli import Home
from tests.integration.scripted_cli import cli, configure, task_of, with_tools

REVIEWED = """\
key = prompt.partition("Your task: ")[2].split("\\n")[0] or prompt.partition("task ")[2].split()[0]
if "Review task" in prompt:
    key = prompt.partition("Review task ")[2].split(",")[0]
    good = os.path.exists(f"{key}.test")
    tools.call(
        "report_review_verdict",
        verdict="APPROVED" if good else "DENIED",
        comments="it is tested" if good else "there is no test",
    )
elif "was denied in its review" in prompt:
    key = prompt.partition("Task ")[2].split(" was denied")[0]
    open(f"{key}.test", "w").write("test")
    tools.call("report_implementation_complete", summary="tested", exit_code=0)
elif "Your task" in prompt:
    assert "Another worker reviews it" in prompt, prompt
    open(key, "w").write(key)
    tools.call("report_implementation_complete", summary="written", exit_code=0)
"""


def test_a_reviewed_task_is_done_once_it_is_mended_and_approved(home: Home) -> None:
    with_tools(home, REVIEWED)
    tasks: list[dict[str, Any]] = [
        {"key": key, "prompt": f"Write {key}.", "worker": "mycli", "review": "simple"}
        for key in ("a", "b")
    ]
    path = home.pipeline("p", [*tasks, {"key": "last", "run": "cat a.test", "after": ["a", "b"]}])

    ran = home.perles("run", path)

    assert ran.returncode == 0, ran.stderr
    for key in ("a", "b"):
        task = task_of(home, key)
        assert (task["status"], task["denials"], task["verdict"]) == ("done", 1, "approved")
    reviews = [e["payload"] for e in home.events() if e["type"] == "task.in_review"]
    assert len(reviews) == 4
    assert all(one["reviewer"] != one["implementer"] for one in reviews)
    assert {one["type"] for one in reviews} == {"simple"}


def test_one_worker_cannot_review_its_own_work(home: Home) -> None:
    with_tools(home, REVIEWED)
    task = {"key": "a", "prompt": "Write a.", "worker": "mycli", "review": True}

    created = home.perles("create", home.pipeline("p", [task], workers=1))

    assert created.returncode == 2
    assert "another one reviews task a" in created.stderr


FORGETFUL = """\
if "Your task" in prompt:
    assert "docs/plan.md" in prompt, prompt
    try:
        tools.call("report_implementation_complete", summary="done, they say", exit_code=0)
        print("nobody looked")
    except CallFailed as error:
        os.makedirs("docs", exist_ok=True)
        open("refused", "w").write(str(error))
        open("docs/plan.md", "w").write("plan")
        tools.call("report_implementation_complete", summary="done", exit_code=0)
"""


def test_a_report_is_refused_until_the_file_is_there(home: Home) -> None:
    with_tools(home, FORGETFUL)
    tasks: list[dict[str, Any]] = [
        {"key": "use", "run": "cat docs/plan.md", "inputs": {"plan": "docs/plan.md"}},
        {
            "key": "plan",
            "prompt": "Write docs/plan.md.",
            "worker": "mycli",
            "outputs": {"plan": "docs/plan.md"},
        },
    ]

    ran = home.perles("run", home.pipeline("p", tasks))

    assert ran.returncode == 0, ran.stderr
    said = (home.work / "refused").read_text()
    assert "its output docs/plan.md is not there" in said
    assert task_of(home, "use")["after"] == ["plan"]


def test_a_command_that_does_not_make_its_file_fails(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "no", "run": "true", "outputs": {"log": "out/log"}},
        {"key": "yes", "run": "mkdir o2; echo x > o2/log", "outputs": ["o2/log"]},
        {"key": "out", "run": "ln -s /etc/passwd away", "outputs": ["away"]},
        {"key": "use", "run": "true", "inputs": ["out/log"]},
    ]  # fmt: skip

    ran = home.perles("run", home.pipeline("p", tasks))

    assert ran.returncode == 1
    states = {key: task_of(home, key)["status"] for key in ("no", "yes", "out", "use")}
    assert states == {"no": "failed", "yes": "done", "out": "failed", "use": "skipped"}
    assert task_of(home, "no")["failure"] == "its output out/log is not there"


def test_an_agent_without_tools_is_asked_again_for_its_file(home: Home) -> None:
    source = (
        "import sys, os\nprompt = sys.stdin.read()\n"
        "if 'is not done' in prompt: open('plan.md', 'w').write('plan')\n"
        "print('done, I think')\n"
    )
    cli(home, source, prompt="stdin")
    task = {"key": "ask", "prompt": "Plan.", "worker": "mycli", "outputs": ["plan.md"]}

    ran = home.perles("run", home.pipeline("p", [task]))

    assert ran.returncode == 0, ran.stderr
    assert (home.work / "plan.md").exists()


def test_a_task_can_say_who_does_it_by_provider_model_and_role(home: Home, tmp_path: Path) -> None:
    program = tmp_path / "who"
    program.write_text("#!/bin/sh\ncat > prompt-$1; echo done\n")
    program.chmod(0o755)
    one = {"type": "command", "argv": [str(program), "{model}"], "prompt": "stdin"}
    configure(home, providers={"one": one})
    tasks: list[dict[str, Any]] = [
        {"key": "a", "prompt": "Find a.", "provider": "one", "model": "big", "role": "researcher"},
        {"key": "b", "prompt": "Find b.", "role": "reviewer"},
    ]

    ran = home.perles("run", home.pipeline("p", tasks, roles={"reviewer": "one:small"}))

    assert ran.returncode == 0, ran.stderr
    assert "You are a researcher" in (home.work / "prompt-big").read_text()
    assert "You are a reviewer" in (home.work / "prompt-small").read_text()
