"""`$PERLES_OUTPUT`: values that a command writes, in later commands and conditions."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import Home

pytestmark = pytest.mark.measured

HOSTILE = "$(touch pwned) `touch pwned` '; touch pwned; ' \" $HOME \\"


def _run(home: Home, text: str) -> dict[str, Any]:
    file = home.work / "p.yaml"
    file.write_text(text)
    ran = home.perles("run", file)
    assert ran.returncode in (0, 1), ran.stderr
    return {task["key"]: task for task in home.json("show", home.only(), "--json")["tasks"]}


def test_values_reach_later_commands_and_never_become_code(home: Home) -> None:
    (home.work / "value").write_text(HOSTILE)
    tasks = _run(
        home,
        """
name: values
tasks:
  - key: my-a
    run: |
      printf 'hostile=%s\\n' "$(cat value)" >> "$PERLES_OUTPUT"
      echo size=12 >> "$PERLES_OUTPUT"
      echo "printed"
  - key: b
    after: my-a
    run: |
      printf '%s\\n' {{ tasks.my-a.outputs.hostile }} "{{ tasks.my-a.outputs.size }}"
      cat <<EOF
      {{ tasks.my-a.outputs.hostile }} {{ tasks.my-a.output }}
      EOF
      echo "exit {{ tasks.my-a.exit_code }}, none '{{ tasks.my-a.outputs.none }}'"
  - {key: c, after: my-a, shell: python, run: 'print({{ tasks.my-a.outputs.hostile }})'}
  - {key: d, after: my-a, when: tasks.my-a.outputs.size > 11, run: echo d}
  - {key: e, after: my-a, when: tasks.my-a.outputs.size > 12, run: echo e}
""",
    )
    assert tasks["my-a"]["outputs"] == {"hostile": HOSTILE, "size": "12"}
    assert tasks["b"]["output_tail"] == [
        HOSTILE,
        "12",
        f"{HOSTILE} printed",
        "exit 0, none ''",
    ]
    assert tasks["c"]["output_tail"] == [HOSTILE]
    assert (tasks["d"]["status"], tasks["e"]["status"]) == ("done", "skipped")
    assert not (home.work / "pwned").exists()


def test_what_is_no_value_fails_the_task(home: Home, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("a=secret")
    tasks = _run(
        home,
        f"""
name: values
workers: 3
tasks:
  - {{key: line, run: 'echo nothing > "$PERLES_OUTPUT"'}}
  - {{key: link, run: 'ln -s {secret} "$PERLES_OUTPUT"'}}
  - {{key: pipe, run: 'mkfifo "$PERLES_OUTPUT"'}}
  - {{key: failed, run: 'echo x=1 > "$PERLES_OUTPUT"; exit 3'}}
""",
    )
    for key in ("line", "link", "pipe"):
        assert (tasks[key]["status"], tasks[key]["exit_code"]) == ("failed", 65)
        assert "cannot read what it wrote to $PERLES_OUTPUT" in tasks[key]["failure"]
        assert tasks[key]["outputs"] == {}
    assert "line 1 is no name=value" in tasks["line"]["failure"]
    assert (tasks["failed"]["exit_code"], tasks["failed"]["outputs"]) == (3, {"x": "1"})
