"""Statements are written without SQLAlchemy, and are what it makes of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert as sqlalchemy_insert
from sqlalchemy import select as sqlalchemy_select

from perles.store.compiling import compiled
from perles.store.expressions import aliased, bindparam, built, or_, select, update, written
from perles.store.schema.agents import Agent
from perles.store.schema.tables import MODELS
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import WorkflowLabel
from perles.store.sql import Sql, digest

ROOT = Path(__file__).parents[2]


def test_every_statement_and_the_schema_of_a_new_database_are_recorded() -> None:
    argv = [sys.executable, "-m", "tests.record_statements", "--check"]
    checked = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_a_statement_that_nobody_recorded_is_compiled_when_it_is_used() -> None:
    made = Sql(select(Task.id).where(Task.key == bindparam("k"), Task.attempt > 77))

    text, params = made.bind({"k": "a"})

    assert text == (
        'SELECT tasks.id \nFROM tasks \nWHERE tasks."key" = :k AND tasks.attempt > :attempt_1'
    )
    assert params == {"k": "a", "attempt_1": 77}


def test_operators_stand_as_they_were_written() -> None:
    condition = or_(1 - Task.attempt > 0, ~(Task.status == "done") & Task.key.in_(["a", "b"]))

    text, params = compiled(select(Task.id).where(condition))

    assert ":attempt_1 - tasks.attempt > :param_1 OR " in text
    assert 'tasks.status != :status_1 AND tasks."key" IN (:key_1_1, :key_1_2)' in text
    assert params == {
        "attempt_1": 1,
        "param_1": 0,
        "status_1": "done",
        "key_1_1": "a",
        "key_1_2": "b",
    }


def test_an_alias_is_another_one_than_its_like() -> None:
    one, other = aliased(Agent), aliased(Agent)

    same = select(one.id).where(one.name == "a")
    both = select(one.id).where(other.name == "a")

    assert digest(same) != digest(both)
    assert digest(same) == digest(select(other.id).where(other.name == "a"))
    assert compiled(same)[0].count("AS agents_") < compiled(both)[0].count("AS agents_")


def test_sqlalchemy_takes_what_was_noted_and_such_a_statement_is_not_recorded() -> None:
    real = sqlalchemy_select(MODELS[Task]).where(Task.key == bindparam("k"))
    mixed = select(Task).where(MODELS[Task].__table__.c.key == bindparam("k"))

    assert str(built(mixed)).splitlines()[1:] == str(real).splitlines()[1:]
    assert written(mixed) == digest(mixed) == ""


def test_an_expression_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="whether an expression is true"):
        assert Task.key == "a"


def test_a_row_has_the_columns_of_its_table_and_no_other() -> None:
    row = WorkflowLabel(workflow_id="wf-1", key="a")

    values: tuple[object, ...] = (row.workflow_id, row.key, row.value)
    assert values == ("wf-1", "a", None)
    with pytest.raises(TypeError, match="no column 'nothing'"):
        WorkflowLabel(nothing=1)
    for rows, model in MODELS.items():
        assert set(rows.__columns__) == set(model.__table__.columns.keys())
        keys = [column.name for column in model.__table__.primary_key]
        assert rows.__key__ == (keys[0] if len(keys) == 1 else None)
    assert Sql(update(Task).values(key="b")).table == "tasks"
    assert str(sqlalchemy_insert(MODELS[WorkflowLabel])).startswith("INSERT INTO workflow_labels")
