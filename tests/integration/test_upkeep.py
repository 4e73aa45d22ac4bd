"""run lists, tty, preconditions, sources and generates, artifacts: with real commands."""

import os
import shutil
from pathlib import Path
from typing import Any

from tests.integration.cli import Home


def _run(home: Home, text: str, name: str = "p") -> dict[str, Any]:
    file = home.work / f"{name}.yaml"
    file.write_text(text)
    ran = home.perles("run", file)
    assert ran.returncode in (0, 1), ran.stderr
    newest = home.json("list", "--all", "--json")[0]["id"]
    return {task["key"]: task for task in home.json("show", newest, "--json")["tasks"]}


def test_the_first_of_several_commands_that_fails_ends_them(home: Home) -> None:
    tasks = _run(
        home,
        """
name: lists
workers: 4
tasks:
  - {key: bash, run: [echo one, "false", echo two]}
  - {key: sh, shell: sh, run: [echo one, "echo a; false", echo two]}
  - {key: python, shell: python, run: [x = 6, print(x * 7)]}
  - {key: good, shell: sh, run: [echo one, cd /, pwd]}
""",
    )
    tails = {key: (task["exit_code"], task["output_tail"]) for key, task in tasks.items()}
    assert tails == {
        "bash": (1, ["one"]),
        "sh": (1, ["one", "a"]),
        "python": (0, ["42"]),
        "good": (0, ["one", "/"]),
    }


def test_a_command_can_have_a_terminal(home: Home) -> None:
    tasks = _run(
        home,
        """
name: terminal
workers: 3
tasks:
  - {key: "yes", tty: true, run: "test -t 1; test -t 0; stty size; read -r x || echo end; exit 3"}
  - {key: "no", run: test -t 1}
  - {key: slow, tty: true, timeout: 1s, run: sleep 300}
  - {key: python, tty: true, shell: python, run: "import sys; print(sys.stdout.isatty())"}
""",
    )
    assert tasks["yes"]["output_tail"] == ["24 80", "end"]
    assert tasks["yes"]["exit_code"] == 3
    assert tasks["no"]["exit_code"] == 1
    assert tasks["slow"]["failure"] == "timed out after 1s"
    assert tasks["python"]["output_tail"] == ["True"]


def test_preconditions_come_first(home: Home) -> None:
    tasks = _run(
        home,
        """
name: before
workers: 4
tasks:
  - key: told
    run: touch ran
    env: {TARGET: ""}
    preconditions: [{run: test -n "$TARGET", message: set TARGET}]
  - {key: bare, run: touch ran, preconditions: ["true", "exit 7"]}
  - {key: slow, run: touch ran, preconditions: [{run: sleep 300, timeout: 300ms}]}
  - {key: good, run: echo ran, env: {A: b}, preconditions: ['test "$A" = b']}
""",
    )
    assert tasks["told"]["failure"] == 'set TARGET (test -n "$TARGET": exit 1)'
    assert tasks["bare"]["failure"] == "precondition not met (exit 7: exit 7)"
    assert tasks["slow"]["failure"] == "precondition not met (sleep 300: took over 0.3s)"
    assert tasks["good"]["output_tail"] == ["ran"]
    assert not (home.work / "ran").exists()


UPKEEP = """
name: upkeep
tasks:
  - {key: make, run: "cat src/* > made; echo x >> runs", sources: src, generates: [made]}
  - {key: then, run: cat made, after: make}
"""


def test_a_command_runs_only_where_something_changed(home: Home) -> None:
    source = home.work / "src" / "a"
    source.parent.mkdir()
    source.write_text("one\n")

    def run(text: str = UPKEEP) -> tuple[str, list[str]]:
        tasks = _run(home, text)
        return tasks["make"]["status"], tasks["then"]["output_tail"]

    assert run() == ("done", ["one"])
    assert run() == ("skipped", ["one"])
    (home.work / "made").unlink()
    assert run() == ("done", ["one"])
    source.write_text("two\n")
    assert run() == ("done", ["two"])
    assert run() == ("skipped", ["two"])
    failing = UPKEEP.replace("cat src/* > made;", "cat src/* > made; echo broken > made; exit 1;")
    assert run(failing)[0] == "failed"
    assert run() == ("done", ["two"])
    assert (home.work / "runs").read_text() == "x\n" * 4
    tasks = _run(home, UPKEEP)
    assert tasks["make"]["failure"] == "up to date: nothing in src changed since it last ended well"
    assert tasks["make"]["tolerated"]


def test_artifacts_are_kept_listed_and_copied(home: Home, tmp_path: Path) -> None:
    _run(
        home,
        """
name: artifacts
workers: 3
tasks:
  - key: wheel
    run: [mkdir -p dist, echo w > dist/a.whl, touch dist/a.log]
    artifacts: dist/*.whl
  - {key: none, run: "true", artifacts: [gone/*]}
  - {key: failed, run: "touch left; exit 3", artifacts: left}
  - {key: maybe, run: "true", artifacts: {paths: gone, optional: true}}
""",
    )
    id = home.only()
    tasks = {task["key"]: task for task in home.json("show", id, "--json")["tasks"]}
    assert (tasks["none"]["exit_code"], tasks["none"]["status"]) == (66, "failed")
    assert "no file fits 'gone/*'" in tasks["none"]["failure"]
    assert tasks["failed"]["exit_code"] == 3
    assert tasks["maybe"]["status"] == "done"
    (home.work / "dist" / "a.whl").unlink()
    (kept,) = home.json("artifacts", id, "--json")
    assert (kept["task"], kept["path"], kept["bytes"]) == ("wheel", "dist/a.whl", 2)
    assert Path(kept["file"]).read_text() == "w\n"
    assert "dist/a.whl" in home.perles("artifacts", id).stdout
    copied = home.perles("artifacts", id, "--task", "wheel", "--copy", tmp_path / "out")
    assert (copied.returncode, (tmp_path / "out/wheel/dist/a.whl").read_text()) == (0, "w\n")
    again = home.perles("artifacts", id, "--copy", tmp_path / "out")
    assert (again.returncode, "--force overwrites it" in again.stderr) == (1, True)
    assert home.perles("artifacts", id, "--copy", tmp_path / "out", "--force").returncode == 0
    assert home.perles("artifacts", id, "--task", "wheels").returncode == 3
    assert "no task of it left a file" in home.perles("artifacts", id, "--task", "none").stderr


APART = """
name: apart
tasks:
  - {key: here, run: "true", sources: src}
  - {key: there, run: "true", sources: src, dir: sub}
"""


def test_prune_forgets_what_ran_in_a_folder_that_is_gone_or_long_ago(home: Home) -> None:
    for folder in (home.work, home.work / "sub"):
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "a").write_text("one\n")

    def statuses() -> list[str]:
        return [task["status"] for task in _run(home, APART).values()]

    def prune(*words: str) -> int:
        count: int = home.json("maintenance", "prune", *words, "--json")["stamps"]
        return count

    assert prune() == 0
    assert statuses() == ["done", "done"]
    assert statuses() == ["skipped", "skipped"]
    assert prune() == 0
    shutil.move(home.work / "sub", home.work / "aside")
    assert prune("--dry-run") == 1
    assert prune() == 1
    shutil.move(home.work / "aside", home.work / "sub")
    assert statuses() == ["skipped", "done"]
    for stamp in (home.root / "stamps").iterdir():
        os.utime(stamp, (1, 1))
    assert prune("--older-than", "1000d") == 2
    assert statuses() == ["done", "done"]
