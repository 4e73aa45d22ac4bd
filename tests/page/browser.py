"""The browser of the page's tests. `python -m tests.page.browser` says whether it can be driven."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@contextmanager
def driven() -> Iterator[Any]:
    """A headless Chromium. Raises `ImportError` without playwright, and what playwright raises."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


if __name__ == "__main__":
    with driven() as browser:
        page = browser.new_page()
        page.set_content("<p>one</p>")
        sys.exit(page.inner_text("p") != "one")
