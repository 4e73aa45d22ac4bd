"""Agents on three machines, a coordinator and two workers, while a cable is pulled and put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.store.reads.connection import reading
from tests.cluster.dask_cluster import wait_for
from tests.integration.scripted_cli import with_tools
from tests.machines.site import Site, three_machines

pytest.importorskip("distributed")

AGENT = """\
import time

MARKS, me = {marks!r}, os.environ["PERLES_AGENT"]
if me.startswith("worker"):
    with open(f"{{MARKS}}/{{me}}", "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    print("begun", flush=True)
    while not os.path.exists(f"{{MARKS}}/go"):
        time.sleep(0.05)
    open(f"{{me}}.txt", "w").write(me)
    tools.call("report_implementation_complete", summary="done")
elif not (tasks := tools.call("list_tasks")["tasks"]):
    for number in (1, 2):
        tools.call("create_task", key=f"t{{number}}", title="T", body="Write a file.")
        tools.call("spawn_worker")
        tools.call("assign_task", task_id=f"t{{number}}", worker_id=f"worker-{{number}}")
else:
    for task in tasks:
        if task["reported"] and task["status"] != "done":
            tools.call("mark_task_complete", task_id=task["key"])
    if all(task["status"] == "done" for task in tools.call("list_tasks")["tasks"]):
        tools.call("signal_workflow_complete", status="success", summary="both")
print("I did what I could")
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three machines whose agents are scripted."""
    with three_machines() as machines:
        made = Site(tmp_path, machines)
        try:
            (tmp_path / "marks").mkdir()
            with_tools(made.home, AGENT.format(marks=str(tmp_path / "marks")))
            made.configure()
            made.serve()
            yield made
        finally:
            made.close()


def _homes(site: Site) -> dict[str, str]:
    """Where each worker is."""
    with reading(site.home.database) as connection:
        assert connection is not None
        rows = connection.execute("SELECT name, node FROM agents WHERE role = 'worker'")
        return {row["name"]: row["node"] for row in rows}


def test_a_team_goes_on_over_a_cable_that_is_pulled_and_put_back(site: Site) -> None:
    home, marks = site.home, site.root / "marks"
    told = home.json("create", "two files", "--coordinator", "mycli", "--worker", "mycli", "--json")
    id = told["id"]
    assert home.perles("start", id).returncode == 0
    wait_for("both workers", lambda: {"worker-1", "worker-2"} <= {p.name for p in marks.iterdir()})
    name = _homes(site)["worker-1"]

    site.machines.pull(int(name.removeprefix("box")))
    wait_for("its next turn", lambda: len((marks / "worker-1").read_text().split()) == 2)
    assert _homes(site)["worker-1"] != name
    first, second = map(int, (marks / "worker-1").read_text().split())
    assert not Path(f"/proc/{first}").exists(), "it lived on two machines"
    assert Path(f"/proc/{second}").exists()
    site.machines.plug(int(name.removeprefix("box")))
    wait_for("return", lambda: site.states()[name] == "ready")
    (marks / "go").touch()

    ended = home.perles("wait", id, "--timeout", "120s", timeout=150)
    assert ended.returncode == 0, home.perles("logs", id).stdout
    assert [(home.work / f"worker-{n}.txt").read_text() for n in (1, 2)] == ["worker-1", "worker-2"]
    reports = Counter(e["agent"] for e in home.events() if e["type"] == "task.reported")
    assert all(count == 1 for count in reports.values())
