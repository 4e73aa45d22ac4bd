"""What is promised in words is there: every command has help and stands in the README."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from perles.cli.app import app
from perles.cli.root import ENTRIES
from perles.config.theme import PRESETS
from perles.store.place import shown
from tests.integration.cli import DEADLINE, Home
from tests.postgres.homes import is_on

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    for name, child in children.items():
        yield from _commands(child, (*path, name))
    if not children:
        yield " ".join(path), command


def _groups(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        if getattr(child, "commands", None):
            yield " ".join((*path, name)), child
            yield from _groups(child, (*path, name))


WITHOUT_JSON = {"dashboard", "serve", "db shell", "maintenance vacuum"}
"""A screen, a server, another program, and one that prints nothing."""
COMMANDS = dict(_commands(typer.main.get_command(app)))
PATHS = {**COMMANDS, **dict(_groups(typer.main.get_command(app)))}
"""Commands, and the groups of commands, which have a help and often options, too."""


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_has_help(path: str) -> None:
    command = COMMANDS[path]

    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{path}: {parameter.name}"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_help_ends_with_an_example_and_the_exit_codes(path: str) -> None:
    example, codes = COMMANDS[path].epilog.split("\n\n")

    assert f"perles {path}" in example
    assert codes.startswith("Exit codes: 0 ")
    names = {name for one in COMMANDS[path].params for name in (*one.opts, *one.secondary_opts)}
    first = example.partition("·")[0].partition(" -- ")[0]
    assert {word for word in first.split() if word.startswith("-")} <= names


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_stands_in_the_readme(path: str) -> None:
    noun, _, verb = path.partition(" ")

    assert f"perles {noun}" in README
    if verb:
        assert re.search(rf"perles {noun}[^`]*\b{verb}\b", README), path


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_that_prints_has_json(path: str) -> None:
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}

    assert ("--json" in options) == (path not in WITHOUT_JSON)


def test_what_a_command_prints_as_json_is_json(home: Home) -> None:
    """Of those that no other test reads."""
    file = home.pipeline("p", [{"key": "a", "run": "echo hello"}])
    home.perles("run", file)

    assert "hello" in {found["text"] for found in _objects(home, "logs", "p")}
    lines = _objects(home, "logs", "p", "--raw", "--agent", "worker-1")
    assert lines == [{"agent": "worker-1", "turn": 1, "kind": "line", "text": "hello"}]
    assert all(set(found) == {"line"} for found in _objects(home, "engine", "logs"))
    assert _objects(home, "inbox", "ack", "--all") == [{"acknowledged": 0}]
    assert home.json("templates", "check", file, "--json")["tasks"] == [1]
    assert home.json("config", "init", "--json")["path"].endswith("/.perles/config.yaml")
    checked = home.json("config", "check", "--json")
    assert (checked["ignored"], len(checked["files"])) == ([], 1)
    assert home.json("db", "current", "--json")["database"]
    assert home.json("db", "path", "--json") == {"path": shown(home.database)}
    assert not home.perles("db", "path").stderr
    if not is_on():  # a server has its own tools for that
        assert Path(home.json("maintenance", "backup", "--json")["path"]).is_file()


def _objects(home: Home, *words: str) -> list[Any]:
    done = home.perles(*words, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_first_help_says_of_each_command_what_its_own_help_says(home: Home) -> None:
    words = " ".join(home.perles("--help").stdout.split())

    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        first = " ".join(command.help.split("\n\n")[0].split())
        assert ENTRIES[name].help == first
        assert f"{name} {first}" in words


def test_the_help_of_a_group_tells_of_all_its_commands() -> None:
    """By the command's name, or by the verb with which its own help begins."""
    missing = []
    for name, group in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        said = group.help.lower()
        for child, command in getattr(group, "commands", {}).items():
            verb = command.help.split()[0].strip(",.").lower()
            if verb not in said and child not in said.replace(" ", ""):
                missing.append(f"{name} {child}")

    assert missing == []


@pytest.mark.parametrize("path", PATHS)
def test_help_prints_all_that_its_source_says(path: str) -> None:
    """Text in square brackets, for one, is a style to the library that prints help."""
    command = PATHS[path]
    shown = _bare(CliRunner().invoke(app, [*path.split(), "--help"], env={"COLUMNS": "200"}).stdout)
    shown_ones = [one for one in command.params if not getattr(one, "hidden", False)]
    texts = [command.help, command.epilog, *(one.help for one in shown_ones)]
    lines = [line for text in texts if text for line in text.splitlines()]

    assert [line for line in lines if _bare(line) not in shown] == []


def _bare(text: str) -> str:
    """Without the spaces and frames by which help is laid out."""
    return re.sub(r"[\s│╭╮╰╯─]+", "", text)


@pytest.mark.parametrize("path", PATHS)
def test_placeholders_are_whole_and_in_one_style(path: str) -> None:
    named = [one.metavar for one in PATHS[path].params if one.metavar]
    words = [word for name in named for word in name.split()]

    assert [word for word in words if "..." in word or word.count("…") > 1] == []
    for left, right in ("[]", "()", "<>"):
        assert [word for word in words if word.count(left) != word.count(right)] == []


def test_help_and_the_guide_name_all_presets_of_colours() -> None:
    (theme,) = (one for one in COMMANDS["dashboard"].params if one.name == "theme")
    guide = (ROOT / "docs" / "dashboard.md").read_text()

    for preset in PRESETS:
        assert preset in theme.help
        assert f"`{preset}`" in guide


def test_help_needs_no_command_and_a_command_no_other(home: Home) -> None:
    code = (
        "import sys; from perles.cli.main import _dispatch; _dispatch(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr)"
    )

    def loaded(*args: str) -> set[str]:
        return {*home.run([sys.executable, "-c", code, *args]).stderr.split()}

    assert not {"typer", "rich", "perles.cli.app", "sqlite3"} & loaded("--help")
    assert loaded("--help") == loaded("-h") == loaded()
    commands = {f"perles.cli.{entry.module}" for entry in ENTRIES.values()}
    assert commands & loaded("archive", "--help") == {"perles.cli.lifecycle"}


def test_help_lines_are_not_torn() -> None:
    for path in COMMANDS:
        shown = CliRunner().invoke(app, [*path.split(), "--help"], env={"COLUMNS": "80"}).stdout
        assert shown
        words = [line for line in shown.splitlines() if line.startswith(" ") and len(line) < 16]
        assert not [line for line in words if line.strip()], (path, words)


def test_every_key_of_the_json_contract_is_documented(home: Home) -> None:
    home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}]))
    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "json.md").read_text()))
    shown = home.json("show", "p", "--json")

    for some in (
        home.json("list", "--json")[0],
        shown,
        shown["tasks"][0],
        shown["agents"][0],
        home.events()[0],
    ):
        assert set(some) - {"task_counts", "transitions"} <= documented


def test_the_pipeline_of_the_readme_is_right(tmp_path: Path, home: Home) -> None:
    text, *_ = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "readme.yaml"
    file.write_text(text)

    result = home.perles("templates", "check", file)

    assert result.returncode == 0, result.stderr
    assert "2 tasks, 3 workers" in result.stdout


def test_the_python_of_the_readme_runs(home: Home) -> None:
    (text,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    home.pipeline("release", [{"key": "a", "run": "true"}])
    engine = home.popen("serve", "--exit-when-idle")

    result = home.run([sys.executable, "-c", text])

    engine.communicate(timeout=DEADLINE)
    assert result.returncode == 0, result.stderr
    assert "workflow.completed" in result.stdout
