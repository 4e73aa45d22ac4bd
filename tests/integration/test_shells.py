"""What a script means in each shell, on its whole way through the engine and a worker."""

import shutil
from contextlib import closing
from typing import Any

import pytest

from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home

SHELLS: dict[str, dict[str, Any]] = {
    "default": {},
    "strict": {"strict": True},
    "sh": {"shell": "sh"},
    "sh -e": {"shell": ["sh", "-e"]},
}
TABLE: dict[str, tuple[str, set[str]]] = {
    "on-one-line": ("false; echo on", {"sh"}),
    "in-the-middle": ("echo before\nfalse\necho on\n", {"sh"}),
    "pipe": ("false | cat\necho on", {"sh", "sh -e"}),
    "unset": ('echo "${NOT_SET_ANYWHERE}"\necho on', {"default", "sh", "sh -e"}),
    "subshell": ("(exit 3)\necho on", {"sh"}),
    "switched-off": ("set +e\nfalse\necho on", set(SHELLS)),
    "handled": ("false || true\nif false; then :; fi\necho on", set(SHELLS)),
    "trap": ("trap 'echo bye' EXIT\nfalse\necho on", {"sh"}),
    "job": ("false &\necho on", set(SHELLS)),
    "waited-for": ("(exit 4) &\nwait $!\necho on", {"sh"}),
}
"""Each script, and the shells in which it comes to its end and is done."""


def _by_key(home: Home, id: str) -> dict[str, dict[str, Any]]:
    return {task["key"]: task for task in home.json("show", id, "--json")["tasks"]}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_each_shell_means_what_people_know_of_it(home: Home) -> None:
    shells = list(SHELLS)
    tasks = [
        {"key": f"{key}-{number}", "run": script, **SHELLS[shell]}
        for key, (script, _) in TABLE.items()
        for number, shell in enumerate(shells)
    ]
    assert home.perles("run", home.pipeline("p", tasks, workers=4)).returncode == 1
    found = _by_key(home, home.only())
    ended = {
        key: {
            shell
            for number, shell in enumerate(shells)
            if found[f"{key}-{number}"]["status"] == "done"
        }
        for key in TABLE
    }
    assert ended == {key: done for key, (_, done) in TABLE.items()}
    for name, task in found.items():
        assert ("on" in task["output_tail"]) == (task["status"] == "done"), name
    assert found["trap-0"]["output_tail"] == ["bye"]
    assert found["subshell-0"]["exit_code"] == 3
    assert found["in-the-middle-0"]["shell"] == ["bash", "-eo", "pipefail"]
    assert "bash -eo pipefail -u" in home.perles("show", home.only()).stdout


def test_python_and_first_lines_run_what_they_name(home: Home) -> None:
    (home.work / "beside.py").write_text("WORD = 'found'\n")
    said = "it's \"; import os; os.abort()"
    first = f"import beside\nprint(beside.WORD, {said!r})"
    second = f"print({{{{ tasks.a.output }}}} == 'found ' + {said!r})"
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": first, "shell": "python"},
        {"key": "b", "run": second, "shell": "python", "after": ["a"]},
        {"key": "c", "run": "#!/usr/bin/env python3\nimport sys\nprint(len(sys.argv))"},
        {"key": "d", "run": "one\ntwo", "shell": ["cat", "-n"]},
        {"key": "e", "run": "x", "shell": ["not-here-at-all"]},
        {"key": "f", "run": "raise ValueError('the reason')", "shell": "python"},
    ]
    assert home.perles("run", home.pipeline("p", tasks)).returncode == 1
    found = _by_key(home, home.only())
    assert found["b"]["output_tail"] == ["True"]
    assert found["c"]["output_tail"] == ["1"]
    assert [line.split() for line in found["d"]["output_tail"]] == [["1", "one"], ["2", "two"]]
    assert "not-here-at-all" in found["e"]["failure"]
    assert found["e"]["exit_code"] == 127
    assert found["f"]["output_tail"][-1] == "ValueError: the reason"


def test_a_workflow_of_before_keeps_what_its_scripts_meant(home: Home) -> None:
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": "false; echo on"}])).stdout
    with closing(dbapi.connect(home.database)) as database, database:
        database.execute("UPDATE tasks SET execution = '{}'")  # what the migration gives it
    assert home.perles("run", id.strip()).returncode == 0
    assert _by_key(home, id.strip())["a"]["shell"] == ["sh"]


def test_a_retry_keeps_the_shell(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "false; echo on", "shell": "sh"},
        {"key": "b", "run": "false", "after": ["a"]},
    ]
    assert home.perles("run", home.pipeline("p", tasks)).returncode == 1
    shells = [task["shell"] for task in _by_key(home, home.only()).values()]
    new = home.json("retry", home.only(), "--json")["id"]
    assert shells[0] == ["sh"]
    assert shells[1] != ["sh"]
    assert [task["shell"] for task in _by_key(home, new).values()] == shells
