"""Templates: three roots, arguments, broken ones that are seen and hide no other."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import Home

GREET = """\
registry:
  - namespace: workflow
    key: greet
    version: "1"
    name: Greeting
    workers: 1
    arguments:
      - {key: who, label: Who, type: text, required: true}
      - {key: times, label: Times, type: number, default: "1"}
      - {key: tone, label: Tone, type: select, options: [warm, cold], default: warm}
    nodes:
      - {key: say, run: "echo {{ Args.who }} {{.Args.tone}} > said"}
      - {key: more, run: "cat said", after: [say]}
"""


def _write(root: Path, name: str, text: str) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "template.yaml").write_text(text)


@pytest.fixture
def greeting(home: Home) -> Home:
    _write(home.root / "workflows", "greet", GREET)
    return home


def test_a_template_of_the_user_runs_with_its_arguments_quoted(greeting: Home) -> None:
    result = greeting.perles("run", "greet", "--arg", "who=a; touch owned $(touch owned)")

    assert result.returncode == 0, result.stderr
    assert (greeting.work / "said").read_text() == "a; touch owned $(touch owned) warm\n"
    assert not (greeting.work / "owned").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "without who"),
        (["who="], "without who"),
        (["who=x", "times=many"], "must be a number"),
        (["who=x", "tone=lukewarm"], "warm, cold"),
        (["who=x", "whom=y"], "did you mean 'who'"),
    ],
)
def test_a_wrong_argument_is_named(greeting: Home, arguments: list[str], said: str) -> None:
    options = [word for argument in arguments for word in ("--arg", argument)]

    result = greeting.perles("create", "greet", *options)

    assert result.returncode == 2
    assert said in result.stderr


def test_the_repository_is_over_the_user_and_the_user_over_the_builtin(greeting: Home) -> None:
    _write(greeting.work / ".perles" / "workflows", "greet", GREET.replace("Greeting", "Ours"))

    listed = {row["key"]: row for row in greeting.json("templates", "list", "--json")}

    assert (listed["greet"]["source"], listed["greet"]["name"]) == ("project", "Ours")
    assert listed["pipeline"]["source"] == "builtin"


def test_a_broken_template_is_seen_and_hides_no_other(greeting: Home) -> None:
    _write(greeting.root / "workflows", "bad", "registry:\n  - namespace: workflow\n")

    listed = {row["key"]: row for row in greeting.json("templates", "list", "--json")}
    used = greeting.perles("create", "bad")

    assert "template.yaml:2" in listed["bad"]["error"]
    assert listed["greet"]["error"] is None
    assert (used.returncode, "key, version" in used.stderr or "version" in used.stderr) == (2, True)


def test_show_and_check_tell_of_a_template(greeting: Home) -> None:
    shown = greeting.perles("templates", "show", "greet").stdout
    named = greeting.perles("templates", "check", "greet")
    assert named.stdout.endswith("template.yaml is fine: greet\n"), named.stderr
    checked = greeting.perles("templates", "check", greeting.root / "workflows" / "greet")

    assert "--arg who=…" in shown
    assert "task more: more, after say" in shown
    assert checked.returncode == 0


@pytest.mark.parametrize("path", ["../secret.md", "/etc/passwd"])
def test_a_template_cannot_read_outside_its_folder(home: Home, path: str) -> None:
    text = GREET.replace('run: "cat said"', f"template: {path}")
    _write(home.root / "workflows", "greet", text)

    result = home.perles("create", "greet", "--arg", "who=x")

    assert result.returncode == 2
    assert "inside the template's folder" in result.stderr


NODES = """\
registry:
  - namespace: workflow
    key: greet
    version: "1"
    arguments:
      - {key: who, label: Who, type: text, required: true}
      - {key: times, label: Times, type: number, default: "1"}
    nodes:
"""
SAY = "      - {key: say, run: 'echo {{ Args.who }}'}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NODES + SAY, None),
        (NODES + "      - {key: say, template: say.md}\n", None),
        (NODES + "      - {key: ok, assignee: human}\n" + SAY, None),
        (
            NODES + "      - {nme: x, key: say, run: 'true'}\n",
            ":9: registry[0].nodes[0].nme: unknown key",
        ),
        (
            NODES.replace("    version", "    verson: 2\n    version") + SAY,
            "did you mean 'version'",
        ),
        (NODES.replace("label: Who", "labl: W, label: Who") + SAY, "did you mean 'label'"),
        (NODES + SAY + "other: 1\n", ":10: other: unknown key"),
        (NODES + "      - {key: say, template: nope.md}\n", "there is no file 'nope.md'"),
        (NODES.replace("    arg", "    epic_template: e.md\n    arg") + SAY, "no file 'e.md'"),
        (NODES.replace("    arg", "    system_prompt: s.md\n    arg") + SAY, "no file 's.md'"),
        (NODES + "      - {key: say, run: x, assignee: human}\n", "with assignee: human"),
        (NODES + "      - {key: say, run: x, assignee: bob}\n", "worker-1 to worker-99"),
        (NODES + "      - {key: say, run: x, template: say.md}\n", "with run, a command"),
        (NODES + "      - {key: say}\n", "a node needs run"),
        (NODES + "      - {key: say, run: '{{ Args.whom }}'}\n", "did you mean 'who'"),
        (NODES + "      - {key: say, run: '{{ Arg.who }}'}\n", "did you mean 'Args'"),
        (NODES + "      - {key: say, template: wrong.md}\n", "wrong.md:2: Args.tmes is undefined"),
        (NODES + "      - {key: say, run: '{{ Args.who '}\n", "cannot render"),
        (NODES.replace('default: "1"', "default: many") + SAY, "must be a number"),
        (NODES.rstrip().removesuffix("nodes:"), "has no nodes"),
    ],
)
def test_what_the_check_passes_can_be_created_and_what_not_is_named(
    home: Home, text: str, said: str | None
) -> None:
    _write(home.root / "workflows", "greet", text)
    folder = home.root / "workflows" / "greet"
    (folder / "say.md").write_text("Greet {{ Args.who }} {{ Name }} {{ Slug }} {{ Date }}.\n")
    (folder / "wrong.md").write_text("{% if Args.who == 'never' %}\n{{ Args.tmes }}{% endif %}\n")

    checked = home.perles("templates", "check", folder)

    assert checked.returncode == (0 if said is None else 2), checked.stderr
    if said is None:
        options = ("--arg", "who=x", "--coordinator", "builtin", "--worker", "scripted")
        home.config_file.write_text(
            "orchestration: {providers: {scripted: {type: command, argv: [cat], prompt: stdin}}}\n"
        )
        created = home.perles("create", "greet", *options)
        assert created.returncode == 0, created.stderr
    else:
        assert said in checked.stderr


def test_the_check_tells_of_an_output_that_is_run_as_code(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo ls"},
        {"key": "b", "run": "echo {{ tasks.a.output }} | sh", "after": ["a"]},
    ]

    checked = home.perles("templates", "check", home.pipeline("p", tasks))

    assert checked.returncode == 0
    assert "task b: it runs the output of a as code" in checked.stderr


def test_the_check_tells_what_is_not_on_this_machine(home: Home) -> None:
    text = NODES.replace("    arg", "    epic_template: say.md\n    arg")
    _write(home.root / "workflows", "greet", text + "      - {key: say, template: say.md}\n")
    folder = home.root / "workflows" / "greet"
    (folder / "say.md").write_text("x")
    unknown = home.pipeline("p", [{"key": "a", "prompt": "x", "worker": "cloude"}])

    checked = home.perles("templates", "check", folder, PATH="/usr/bin:/bin")

    assert checked.returncode == 0
    assert "not on this machine: cannot find claude" in checked.stderr
    assert "did you mean 'claude'" in home.perles("templates", "check", unknown).stderr


def test_nodes_with_a_matrix_and_items_of_an_earlier_task_run(home: Home) -> None:
    text = """\
registry:
  - namespace: workflow
    key: many
    version: "1"
    workers: 2
    arguments: [{key: end, label: End, type: text, required: true}]
    nodes:
      - {key: cell, matrix: {os: [a, "b'c"]}, run: 'echo "{{ matrix.os }}" {{ Args.end }} >> cells'}
      - {key: list, after: cell, run: "printf 'x\\\\n$(y)\\\\n'"}
      - key: item
        after: list
        for_each: "{{ tasks.list.output }}"
        run: echo {{ item }} >> items
"""
    _write(home.root / "workflows", "many", text)
    assert home.perles("templates", "check", "many").returncode == 0

    result = home.perles("run", "many", "--arg", "end=$(touch owned)")

    assert result.returncode == 0, result.stdout + result.stderr
    cells = (home.work / "cells").read_text().splitlines()
    assert sorted(cells) == ["a $(touch owned)", "b'c $(touch owned)"]
    assert sorted((home.work / "items").read_text().splitlines()) == ["$(y)", "x"]
