"""The page while something is wrong: nothing is served, a token ends, another tab acts."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.cli import DEADLINE
from tests.page.conftest import SIZES
from tests.page.stage import Stage
from tests.page.waits import is_told, until

ALL_KEPT = """async () => {
  await navigator.serviceWorker.ready;
  const [name] = await caches.keys();
  const kept = name ? await (await caches.open(name)).keys() : [];
  return kept.length >= 14;
}"""


@pytest.fixture
def phone(browser: Any, stage: Stage) -> Iterator[Any]:
    """A phone that nobody logged in on, with all that a browser keeps."""
    width, height = SIZES["phone"]
    found = browser.new_context(
        viewport={"width": width, "height": height}, is_mobile=True, has_touch=True
    )
    found.set_default_timeout(1000 * DEADLINE)
    yield found
    found.close()


def _token(stage: Stage, name: str, role: str = "operate") -> str:
    return str(stage.home.json("token", "create", name, "--role", role, "--json")["token"])


def _opened(phone: Any, stage: Stage, token: str | None = None, path: str = "") -> Any:
    page = phone.new_page()
    page.goto(f"{stage.url}/#token={token}" if token else f"{stage.url}/#/{path}")
    page.wait_for_selector("ul.cards > li")
    return page


def test_the_page_opens_and_says_so_while_nothing_is_served(phone: Any, stage: Stage) -> None:
    page = _opened(phone, stage, stage.token)
    until(page, ALL_KEPT)
    stage.home.kill_engine()

    page.reload()

    is_told(page, "No connection to Perles")
    assert page.get_by_role("link", name="Perles", exact=True).is_visible()

    port = stage.url.rpartition(":")[2]
    served = stage.home.perles("serve", "--detach", "--http", port)
    assert served.returncode == 0, served.stderr
    page.wait_for_selector("ul.cards > li")
    page.wait_for_selector("#state", state="hidden")


def test_a_token_that_is_revoked_shows_nothing_more(phone: Any, stage: Stage) -> None:
    page = phone.new_page()
    page.clock.install()
    page.goto(f"{stage.url}/#token={_token(stage, 'lost-phone')}")
    page.wait_for_selector("ul.cards > li")

    stage.home.perles("token", "revoke", "lost-phone")

    is_told(page, "This token does not hold.")
    page.get_by_label("Token").wait_for()
    assert page.locator(".cards").count() == 0
    page.get_by_label("Token").fill(stage.token)
    page.clock.fast_forward(20_000)  # it looks at the engine every few seconds: not any more
    page.wait_for_timeout(300)
    assert page.get_by_label("Token").input_value() == stage.token
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("ul.cards > li")


def test_two_tabs_show_the_same_and_log_out_together(phone: Any, stage: Stage) -> None:
    file = stage.home.pipeline("twice", [{"key": "a", "run": "sleep 600"}])
    stage.home.perles("start", stage.home.perles("create", file, "--name", "twice").stdout.strip())
    first = _opened(phone, stage, stage.token)
    other = phone.new_page()
    other.goto(f"{stage.url}/#/w/twice")

    other.get_by_role("button", name="Pause").click()
    first.bring_to_front()
    first.locator("ul.cards > li").filter(has_text="twice").locator(".s-paused").wait_for()
    stage.home.perles("resume", "twice")
    other.bring_to_front()
    other.get_by_role("button", name="Pause").wait_for()
    other.get_by_role("button", name="Log out").click()

    first.bring_to_front()
    first.get_by_label("Token").wait_for()
    assert first.locator(".cards").count() == 0
    stage.home.perles("stop", "twice")


def test_a_token_that_may_only_read_offers_no_verb(phone: Any, stage: Stage) -> None:
    _opened(phone, stage, _token(stage, "guest", "read")).close()

    page = _opened(phone, stage, path="inbox")
    is_told(page, "This token may only read.")
    assert page.locator("main button").count() == 0
    page.goto(f"{stage.url}/#/w/graph")
    page.wait_for_selector(".node")
    assert page.locator("main button").count() == 0
