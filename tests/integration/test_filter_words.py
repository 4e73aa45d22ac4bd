"""The filter language: the same words mean the same in `list`, over HTTP, and in the dashboard."""

from urllib.parse import quote

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.http.limits import Limits
from perles.store.reads import dashboard
from perles.store.reads.connection import reading
from tests.integration.cli import Home
from tests.integration.http_server import serving

PLENTY = Limits(rate=1e6, burst=10**6, stranger_rate=1e6, stranger_burst=10**6)
CASES = {
    "": {"nightly", "big job", "old", "odd % name_"},
    "state:pending": {"nightly", "big job", "odd % name_"},
    "pending": {"nightly", "big job", "odd % name_"},
    "state:stopped,failed": {"old"},
    "-state:pending": {"old"},
    "label:team=red": {"nightly"},
    "team=red": {"nightly"},
    "label:team": {"nightly", "old"},
    "-label:team": {"big job", "odd % name_"},
    "priority:high": {"big job"},
    "template:pipeline": {"nightly", "big job", "old", "odd % name_"},
    "name:night": {"nightly"},
    '"big job"': {"big job"},
    "JOB": {"big job"},
    "% name_": {"odd % name_"},
    "-night": {"big job", "old", "odd % name_"},
    "cost:>2": set(),
    "cost:<=2 tokens:<1": {"nightly", "big job", "old", "odd % name_"},
    "age:<1h label:team=blue": {"old"},
    "is:waiting": set(),
    "team=red state:stopped": set(),
}
WRONG = ("state:runing", "cost:much", "stat:running")


@pytest.fixture
def named(plane: ControlPlane, home: Home) -> ControlPlane:
    """Four workflows, of which one has ended."""
    file = str(home.pipeline("p", [{"key": "a", "run": "true"}]))
    for name, labels, priority in (
        ("nightly", {"team": "red"}, "normal"),
        ("big job", {}, "high"),
        ("old", {"team": "blue"}, "low"),
        ("odd % name_", {}, "normal"),
    ):
        spec = WorkflowSpec(
            template_id="pipeline",
            work_dir=str(home.work),
            args={"file": file},
            name=name,
            labels=labels,
            priority=priority,
        )
        plane.create(spec)
    plane.stop("old")
    return plane


def test_each_door_finds_the_same_by_the_same_words(named: ControlPlane, home: Home) -> None:
    names = {one.id: one.name for one in named.list()}
    found: dict[str, list[set[str]]] = {}
    with serving(named, PLENTY) as served, reading(home.database) as connection:
        assert connection is not None
        for text in CASES:
            rows = served.get(f"/workflows?filter={quote(text)}")
            typed = served.get(f"/workflows?filter={quote(text)}&typing=true")
            printed = home.perles("list", "--filter", text, "-q").stdout.split()
            shown = dashboard.order(connection, text, "created")
            found[text] = [
                {one["name"] for one in rows},
                {one["name"] for one in typed},
                {names[id] for id in printed},
                {names[id] for id in shown},
            ]

    assert found == {text: [expected] * 4 for text, expected in CASES.items()}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_word_is_named_where_it_is_whole_and_ignored_while_it_is_typed(
    named: ControlPlane, home: Home, text: str
) -> None:
    with serving(named, PLENTY) as served, reading(home.database) as connection:
        assert connection is not None
        refused = served.ask("GET", f"/api/v1/workflows?filter={quote(text)}")
        printed = home.perles("list", "--filter", text)

        assert (refused.status, printed.returncode) == (400, 2)
        assert refused.error["message"].removeprefix("cannot ")[:30] in printed.stderr
        typed = served.get(f"/workflows?filter={quote(text)}&typing=true")
        shown = dashboard.order(connection, text, "created")
        assert [one["id"] for one in typed] == shown
