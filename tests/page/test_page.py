"""The page as a person uses it, on a phone and at a desk."""

import re
import urllib.request
from contextlib import closing
from typing import Any

import pytest

from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE
from tests.page.stage import HOSTILE, Stage
from tests.page.waits import is_told, until

ONLY_COMPLETED = """() => {
  const rows = [...document.querySelectorAll('ul.cards > li')];
  return rows.length > 1 && rows.every(row => row.querySelector('.s-completed'));
}"""


def _go(page: Any, stage: Stage, path: str) -> None:
    page.goto(f"{stage.url}/#/{path}")


def _fits(page: Any) -> bool:
    """Whether nothing but boxes that scroll by themselves is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_the_list_shows_all_and_what_waits_and_is_filtered(
    page: Any, stage: Stage, errors: list[str]
) -> None:
    is_told(page, "Is it spring yet?")
    is_told(page, "1 task done")
    assert _fits(page)
    until(page, "() => document.title.startsWith('(')")
    page.get_by_role("button", name=re.compile("^failed 1")).click()
    until(page, "() => document.querySelectorAll('ul.cards > li').length === 1")
    is_told(page, "broken")
    page.get_by_role("button", name=re.compile("^failed 1")).click()
    page.get_by_role("searchbox").fill("state:completed")
    until(page, ONLY_COMPLETED)
    page.get_by_role("searchbox").fill("")
    until(page, "() => document.querySelectorAll('ul.cards > li').length > 4")
    assert not errors


def test_the_list_stands_before_all_else_has_come(page: Any, stage: Stage) -> None:
    later = ("**/workflow.js", "**/inbox.js", "**/api/v1/overview", "**/api/v1/whoami")
    for pattern in later:
        page.route(pattern, lambda _request: None)  # never answered
    page.goto("about:blank")
    page.goto(f"{stage.url}/")
    page.wait_for_selector("ul.cards > li")
    for pattern in later:
        page.unroute(pattern)


def test_the_list_is_live(page: Any, stage: Stage, errors: list[str]) -> None:
    name = f"fresh-{page.viewport_size['width']}"
    id = stage.home.perles(
        "create", stage.home.pipeline("fresh", [{"key": "a", "run": "true"}]), "--name", name
    ).stdout.strip()

    is_told(page, name)

    stage.home.perles("stop", id)
    page.wait_for_selector(f"a[href='#/w/{id}'] .s-stopped")
    assert not errors


@pytest.mark.parametrize("tab", ["tasks", "agents", "posts", "transcript", "timeline", "diff"])
def test_a_workflow_is_shown_and_what_agents_wrote_is_text(
    page: Any, stage: Stage, errors: list[str], tab: str
) -> None:
    workflow = {"tasks": "graph", "agents": "graph", "diff": "changes"}.get(tab, "asks")
    _go(page, stage, f"w/{workflow}/{tab}")
    page.wait_for_selector(".part > *")

    expected = {
        "tasks": "waits for",
        "agents": "worker-1",
        "posts": HOSTILE[:20],
        "transcript": HOSTILE[:20],
        "timeline": "question asked",
        "diff": "many.txt",
    }[tab]
    if tab == "tasks":
        assert page.locator(".node").count() == 5
        page.locator(".node").first.click()
        assert page.locator("details[open]").count() == 1
    else:
        is_told(page, expected)
    if tab == "diff":
        for summary in page.locator("summary").all():
            summary.click()
        is_told(page, HOSTILE[:20])
        assert page.locator(".patch span.add").count() > 1000
        page.get_by_role("button", name="Show all").click()
        until(page, "() => document.querySelectorAll('.patch span.add').length > 3000")
    assert "\u202e" not in page.inner_text("body")
    assert _fits(page)
    assert page.locator("main img, main script").count() == 0
    assert "owned" not in page.title()
    assert not errors


def test_posts_count_as_new_until_they_are_shown(
    page: Any, stage: Stage, errors: list[str]
) -> None:
    name = f"talk-{page.viewport_size['width']}"
    file = stage.home.pipeline("talk", [{"key": "a", "prompt": "Say it.", "worker": "mycli"}])
    stage.home.perles("start", stage.home.perles("create", file, "--name", name).stdout.strip())
    row = page.locator("ul.cards > li").filter(has_text=name)
    row.filter(has_text="new post").wait_for()
    assert stage.home.json("show", name, "--json")["unread_posts"] > 0

    row.get_by_role("link").click()
    page.get_by_role("link", name=re.compile(r"^Posts \(\d+ new\)$")).click()
    is_told(page, HOSTILE[:20])

    stage.home.wait_for(
        "them to be read", lambda: stage.home.json("show", name, "--json")["unread_posts"] == 0
    )
    stage.home.perles("stop", name)
    assert not errors


def test_a_workflow_without_a_worktree_says_so(page: Any, stage: Stage, errors: list[str]) -> None:
    _go(page, stage, "w/graph/diff")
    is_told(page, f"has no worktree, it works in {stage.home.work} itself")
    assert not errors


def test_of_a_command_that_builtin_is_told_the_command_is_shown(
    page: Any, stage: Stage, errors: list[str]
) -> None:
    _go(page, stage, "w/graph/transcript")
    page.locator(".line.told pre", has_text=re.compile("^echo fetched$")).wait_for()
    assert not page.locator(".line.told pre", has_text='{"task"').count()
    assert not errors


def test_what_was_done_is_told_until_it_is_tapped_or_left(
    page: Any, stage: Stage, errors: list[str]
) -> None:
    told = page.locator("#told")
    for leave in (told.click, lambda: _go(page, stage, "inbox")):
        _go(page, stage, "w/graph/transcript")
        page.get_by_label("Message to the coordinator").fill("Go on.")
        page.get_by_role("button", name="Send").click()
        until(page, "() => document.getElementById('told').innerText")
        leave()
        assert not told.inner_text()
    assert not errors


def test_a_cost_that_nobody_told_is_unknown(page: Any, stage: Stage, errors: list[str]) -> None:
    with closing(dbapi.connect(stage.home.database, timeout=DEADLINE)) as connection, connection:
        connection.execute("UPDATE workflows SET tokens_used = 500 WHERE name = 'done'")
    page.reload()
    row = page.locator("ul.cards > li").filter(has_text="done").filter(has_text="cost unknown")
    row.get_by_role("link").click()
    is_told(page, "500 tokens · cost unknown")
    _go(page, stage, "")
    broken = page.locator("ul.cards > li").filter(has_text="broken")
    assert "cost" not in broken.inner_text()
    assert not errors


def test_a_question_is_answered_and_a_task_approved(
    page: Any, stage: Stage, errors: list[str]
) -> None:
    _go(page, stage, "inbox")
    is_phone = page.viewport_size["width"] < 500
    if is_phone:
        page.get_by_role("button", name="spaces").click()
        told = stage.home.work / "told"
        stage.home.wait_for("the answer", lambda: told.exists() and "spaces" in told.read_text())
    else:
        entry = page.get_by_role("listitem").filter(has_text="Deploy to production?")
        entry.get_by_role("button", name="Approve").click()
        stage.home.wait_for(
            "the end", lambda: stage.home.json("show", "waits", "--json")["state"] == "completed"
        )
    until(
        page,
        "text => !document.querySelector('.cards').innerText.includes(text)",
        "Tabs or spaces?" if is_phone else "Deploy to production?",
    )
    assert not errors


def test_a_workflow_is_paused_resumed_and_stopped_only_after_a_yes(
    page: Any, stage: Stage, errors: list[str]
) -> None:
    name = f"verbs-{page.viewport_size['width']}"
    file = stage.home.pipeline("verbs", [{"key": "a", "run": "sleep 600"}])
    id = stage.home.perles("create", file, "--name", name).stdout.strip()
    _go(page, stage, f"w/{name}")

    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert stage.home.json("show", id, "--json")["state"] in ("running", "paused")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("enough")
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()

    page.wait_for_selector("h1 .s-stopped")
    assert stage.home.json("show", id, "--json")["reason"] == "enough"
    assert not errors


def test_without_a_token_there_is_only_the_form(browser: Any, stage: Stage) -> None:
    page = browser.new_page()
    page.set_default_timeout(1000 * DEADLINE)
    page.goto(stage.url)
    page.get_by_label("Token").fill("perles_wrong")
    page.get_by_role("button", name="Log in").click()
    is_told(page, "does not hold")
    assert page.locator("ul.cards").count() == 0
    page.close()


def test_no_page_of_another_site_can_show_it_in_a_frame(stage: Stage) -> None:
    with urllib.request.urlopen(stage.url, timeout=DEADLINE) as found:
        policy = found.headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy


def test_an_engine_that_is_killed_is_missed_and_comes_again(page: Any, stage: Stage) -> None:
    stage.home.kill_engine()
    is_told(page, "No connection")

    port = stage.url.rpartition(":")[2]
    served = stage.home.perles("serve", "--detach", "--http", port)
    assert served.returncode == 0, served.stderr

    page.wait_for_selector("#state", state="hidden")
    name = f"after-{page.viewport_size['width']}"
    file = stage.home.pipeline("after", [{"key": "a", "run": "true"}])
    stage.home.perles("create", file, "--name", name)
    is_told(page, name)
