"""What an event changes on the page, and what it leaves as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.page.stage import Stage
from tests.page.waits import is_told, until

KEEP = "() => { window.kept = [...document.querySelectorAll('ul.cards > li')]; }"
MADE_ANEW = """() => {
  const now = new Set(document.querySelectorAll('ul.cards > li'));
  return window.kept.filter((row) => !now.has(row)).map((row) => row.innerText);
}"""
ALL_ARE_THERE = """count => document.querySelectorAll('ul.cards > li').length >= count"""


@pytest.fixture
def id(page: Any, stage: Stage) -> str:
    """A workflow of this test, the newest in the list."""
    return _created(page, stage)


def _created(page: Any, stage: Stage) -> str:
    file = stage.home.pipeline("updated", [{"key": "a", "run": "true"}])
    id = stage.home.perles("create", file).stdout.strip()
    page.wait_for_selector(f"a[href='#/w/{id}']")
    return id


def _listed(stage: Stage) -> int:
    return len(stage.home.json("list", "--json"))


@contextmanager
def _asked(page: Any) -> Iterator[list[dict[str, list[str]]]]:
    """The queries of the list meanwhile."""
    found: list[dict[str, list[str]]] = []

    def hear(request: Any) -> None:
        address = urlsplit(request.url)
        if address.path == "/api/v1/workflows":
            found.append(parse_qs(address.query))

    page.on("request", hear)
    try:
        yield found
    finally:
        page.remove_listener("request", hear)


def test_a_row_that_changes_is_read_alone_and_keeps_the_focus(
    page: Any, stage: Stage, id: str, errors: list[str]
) -> None:
    until(page, ALL_ARE_THERE, _listed(stage))
    link = page.locator(f"a[href='#/w/{id}']")
    link.focus()
    page.evaluate(KEEP)

    with _asked(page) as queries:
        stage.home.perles("rename", id, f"{id}-renamed")
        is_told(page, f"{id}-renamed")

    assert queries[0]["filter"][0].strip() == f"id:{id}"
    assert page.evaluate(MADE_ANEW) == []
    assert link.evaluate("link => link === document.activeElement")
    stage.home.perles("stop", id)
    assert not errors


def test_a_row_that_comes_or_goes_leaves_all_others(
    page: Any, stage: Stage, id: str, errors: list[str]
) -> None:
    until(page, ALL_ARE_THERE, _listed(stage))
    page.evaluate(KEEP)

    later = _created(page, stage)
    assert page.evaluate(MADE_ANEW) == []

    stage.home.perles("stop", later)
    stage.home.perles("rm", later)
    page.wait_for_selector(f"a[href='#/w/{later}']", state="detached")
    assert page.evaluate(MADE_ANEW) == []
    stage.home.perles("stop", id)
    assert not errors


def test_a_filter_holds_for_a_row_that_is_read_alone(
    page: Any, stage: Stage, id: str, errors: list[str]
) -> None:
    page.get_by_role("searchbox").fill(f'state:pending "{id}')
    until(page, "() => document.querySelectorAll('ul.cards > li').length === 1")

    stage.home.perles("stop", id)

    is_told(page, "No workflow fits.")
    page.get_by_role("searchbox").fill("")
    until(page, ALL_ARE_THERE, 4)
    assert not errors


def test_events_show_though_the_clock_of_the_device_is_set_back(
    page: Any, stage: Stage, id: str, errors: list[str]
) -> None:
    page.evaluate("() => { const real = Date.now; Date.now = () => real() - 3_600_000; }")

    for count in range(3):
        stage.home.perles("rename", id, f"{id}-back-{count}")
        is_told(page, f"{id}-back-{count}")

    stage.home.perles("stop", id)
    assert not errors


def test_a_workflow_without_agents_says_so_however_often_it_is_read(
    page: Any, stage: Stage, id: str, errors: list[str]
) -> None:
    page.evaluate("id => { location.hash = `#/w/${id}/agents`; }", id)
    is_told(page, "No agent used tokens yet.")

    stage.home.perles("rename", id, f"{id}-again")
    is_told(page, f"{id}-again")

    assert "No agent used tokens yet." in page.inner_text("body")
    stage.home.perles("stop", id)
    assert not errors
