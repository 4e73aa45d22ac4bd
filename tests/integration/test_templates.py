"""Templates: three roots, arguments, broken ones that are seen and hide no other."""

from pathlib import Path

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
