"""A brief reads the tasks that its text names, not the whole plan."""

from types import SimpleNamespace
from typing import Any

from perles.store import statements
from perles.tasks.briefs import task_brief


class _Rows:
    """The rows of a plan; whoever reads all of them is counted."""

    def __init__(self, **outputs: str) -> None:
        self._outputs = outputs
        self.whole = 0

    def first(self, _model: Any, _sql: Any, *, workflow_id: str, key: str) -> Any:
        assert workflow_id == "wf-1"
        return self._row(key) if key in self._outputs else None

    def need(self, _model: Any, _id: int) -> Any:
        return SimpleNamespace(thread_post_id=None)

    def all(self, _model: Any, sql: Any, **_params: Any) -> list[Any]:
        assert sql is statements.TASKS_OF
        self.whole += 1
        return [self._row(key) for key in self._outputs]

    def _row(self, key: str) -> Any:
        outputs = f'{{"output": "{self._outputs[key]}", "values": {{"v": "V"}}}}'
        return SimpleNamespace(key=key, outputs=outputs, exit_code=0)


def _brief(rows: _Rows, run: str, **env: str) -> Any:
    quoted = ",".join(f'"{name}": "{text}"' for name, text in env.items())
    task = SimpleNamespace(
        id=1, workflow_id="wf-1", key="t", title="t", body="", run=run, env=f"{{{quoted}}}"
    )
    task.execution, task.outputs, task.timeout = "{}", "{}", None
    return task_brief(rows, task, attempt=1)  # type: ignore[arg-type]


def test_values_of_the_task_itself_need_no_other_task() -> None:
    rows = _Rows(a="A")

    brief = _brief(rows, "echo {{ item }}", PERLES_OUTPUT_ITEM="x", PERLES_ITEM="x")

    assert (brief.run, brief.env, rows.whole) == ('echo "${PERLES_OUTPUT_ITEM}"', {}, 0)


def test_only_the_tasks_that_are_named_are_read() -> None:
    rows = _Rows(a="A", b="B")

    brief = _brief(rows, "echo {{ tasks.a.output }} {{ tasks.a.outputs.v }}")

    assert brief.env["PERLES_OUTPUT_a"] == "A"
    assert brief.env["PERLES_OUTPUT_a_outputs_v"] == "V"
    assert not any(name.endswith("_b") for name in brief.env)
    assert rows.whole == 0


def test_a_script_that_names_variables_has_them_of_any_task() -> None:
    rows = _Rows(a="A", **{"b-c": "B"})

    brief = _brief(rows, "echo $PERLES_OUTPUT_b_c {{ tasks.a.output }}")

    assert brief.env["PERLES_OUTPUT_b_c"] == "B"
    assert rows.whole == 1
