"""The page in a headless Chromium, before an engine with work of every kind."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import DEADLINE, Home
from tests.integration.http_server import free_port
from tests.page.browser import CHROMIUM, driven
from tests.page.stage import Stage, prepared

PICTURES = os.environ.get("PERLES_TEST_PICTURES")
"""A folder for pictures of the page, where a person wants to look at them."""
LOADS = count()
SIZES = {"phone": (390, 844), "desk": (1280, 800)}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser, which most machines that run the tests do not have."""
    pytest.importorskip(
        "playwright.sync_api", reason="THE PAGE IS NOT TESTED: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("THE PAGE IS NOT TESTED: there is no chromium here")
    with driven() as found:
        yield found


@pytest.fixture(scope="session")
def stage(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A home whose engine serves the page."""
    del browser  # without one nothing needs to be prepared
    home = Home(tmp_path_factory.mktemp("page"))
    found = prepared(home, free_port())
    yield found
    home.perles("engine", "stop")


@pytest.fixture(scope="module", params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    """A phone or a desk; all tests on a phone come first."""
    return str(request.param)


@pytest.fixture(scope="session")
def tabs(browser: Any) -> dict[str, Any]:
    """A tab of each size, for all tests: to open another for each costs more than most tests."""
    return {name: _tab(browser, *SIZES[name], is_phone=name == "phone") for name in SIZES}


def _tab(browser: Any, width: int, height: int, *, is_phone: bool) -> Any:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        is_mobile=is_phone,
        has_touch=is_phone,
        service_workers="block",  # what they keep would hide what is served now
    )
    context.set_default_timeout(1000 * DEADLINE)
    return context.new_page()


@pytest.fixture
def errors() -> list[str]:
    """What the browser complained of: nothing may be refused by the page's own policy."""
    return []


@pytest.fixture
def page(
    request: pytest.FixtureRequest,
    tabs: dict[str, Any],
    size: str,
    stage: Stage,
    errors: list[str],
) -> Iterator[Any]:
    """A page of a phone's or a desk's size, logged in, loaded anew."""
    watched = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda said: errors.append(said.text) if said.type == "error" else None,
    }
    width, height = SIZES[size]
    opened = tabs[size]
    opened.set_viewport_size({"width": width, "height": height})
    opened.emulate_media(color_scheme="dark" if size == "phone" else "light")
    # Another address than the one before: only then is the page loaded anew, and the token taken.
    opened.goto(f"{stage.url}/?load={next(LOADS)}#token={stage.token}")
    opened.wait_for_selector("ul.cards > li")
    for name, told in watched.items():
        opened.on(name, told)
    yield opened
    for name, told in watched.items():
        opened.remove_listener(name, told)
    if PICTURES:
        name = request.node.name.replace("[", "-").replace("/", "_").rstrip("]")
        opened.screenshot(path=Path(PICTURES) / f"{name}.png")
