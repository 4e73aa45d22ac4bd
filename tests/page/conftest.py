"""The page in a headless Chromium, before an engine with work of every kind."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import Home
from tests.integration.http_server import free_port
from tests.page.stage import Stage, prepared

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = os.environ.get("PERLES_TEST_PICTURES")
"""A folder for pictures of the page, where a person wants to look at them."""
SIZES = {"phone": (390, 844), "desk": (1280, 800)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser, which most machines that run the tests do not have."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="THE PAGE IS NOT TESTED: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("THE PAGE IS NOT TESTED: there is no chromium here")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def stage(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A home whose engine serves the page."""
    del browser  # without one nothing needs to be prepared
    home = Home(tmp_path_factory.mktemp("page"))
    found = prepared(home, free_port())
    yield found
    home.perles("engine", "stop")


@pytest.fixture
def errors() -> list[str]:
    """What the browser complained of: nothing may be refused by the page's own policy."""
    return []


@pytest.fixture(params=SIZES)
def page(
    request: pytest.FixtureRequest, browser: Any, stage: Stage, errors: list[str]
) -> Iterator[Any]:
    """A page of a phone's or a desk's size, logged in."""
    width, height = SIZES[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if request.param == "phone" else "light",
        service_workers="block",  # what they keep would hide what is served now
    )
    found = context.new_page()
    found.set_default_timeout(60_000)
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    found.goto(f"{stage.url}/#token={stage.token}")
    found.wait_for_selector("ul.cards > li")
    yield found
    if PICTURES:
        name = request.node.name.replace("[", "-").rstrip("]")
        found.screenshot(path=Path(PICTURES) / f"{name}.png")
    context.close()
