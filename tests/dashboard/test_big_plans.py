"""A workflow with thousands of tasks: the screen reads those that somebody looks for."""

import json
from contextlib import closing

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.state import Detail, State, View
from perles.dashboard.reading.detail import MOST_TASKS, SIDE_TASKS
from perles.dashboard.reading.source import Source
from perles.domain.task_story import foremost
from perles.store.reads.connection import reading
from perles.store.reads.workflow import foremost_tasks, show_tasks
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home

COUNT = MOST_TASKS + 200
SIZE = (160, 30)


def _big(home: Home) -> str:
    """A workflow with so many tasks, the last of which failed, run or wait for items."""
    tasks = [{"key": f"t{at:04}", "run": "true", "after": ["t0000"]} for at in range(1, COUNT)]
    path = home.pipeline("big", [{"key": "t0000", "run": "true"}, *tasks])
    id = str(home.json("create", path, "--json")["id"])
    with closing(dbapi.connect(home.database)) as db, db:
        db.execute("UPDATE tasks SET status = 'done'")
        for at, status in ((1, "failed"), (2, "in_progress"), (3, "pending"), (4, "ready")):
            key = f"t{COUNT - at:04}"
            db.execute("UPDATE tasks SET status = ? WHERE key = ?", (status, key))
        parent = f"t{COUNT - 3:04}"
        db.execute("UPDATE tasks SET execution = '{\"for_each\":[]}' WHERE key = ?", (parent,))
        made = json.dumps({"made_by": parent}, separators=(",", ":"))
        db.execute("UPDATE tasks SET execution = ? WHERE key < 't0011'", (made,))
    return id


def _shown(home: Home, detail: Detail) -> tuple[View, str]:
    source = Source(home.database)
    source.changed()
    state = State(screen="detail", detail=detail)
    view = source.view(state, View(), SIZE)
    source.close()
    _, frame = Composer().compose(state, view)
    return view, "\n".join("".join(part.text for part in line) for line in frame.lines)


def test_the_part_is_what_the_whole_has(home: Home) -> None:
    id = _big(home)
    with reading(home.database) as connection:
        assert connection is not None
        whole = show_tasks(connection, id)
        part = foremost_tasks(connection, id, 50)
        assert part == foremost(whole, 50)
        assert foremost_tasks(connection, id, COUNT) == whole
        one = foremost_tasks(connection, id, 50, "t0500")
        assert [task["key"] for task in one if task not in part] == ["t0500"]
    assert [task["items"] for task in part if task["items"]] == [
        {"total": 11, "done": 11, "failed": 0}
    ]


def test_the_screen_tells_how_many_more_there_are_and_any_can_be_opened(home: Home) -> None:
    id = _big(home)

    view, text = _shown(home, Detail(id))
    assert view.inside is not None
    assert len(view.inside.tasks) == SIDE_TASKS
    assert f"t{COUNT - 1:04}" in text
    assert "more: tab tasks" in text

    view, text = _shown(home, Detail(id, tab="tasks", up=10**9))
    assert f"… and 200 more: perles tasks {id} --all" in text
    _, text = _shown(home, Detail(id, tab="tasks", task="t1001", opened=True))
    assert "t1001" in text
    assert "after t0000" in text or "t0000" in text
