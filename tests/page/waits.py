"""Waiting for what the page shows, by one question that the browser answers as soon as it holds.

The page's policy forbids what playwright does for `wait_for_function`, so the condition is told as
a whole program.
"""

from time import monotonic
from typing import Any

from tests.integration.cli import DEADLINE

_LEFT = ("Execution context was destroyed", "frame was detached", "navigat")
"""What playwright says when the page is loaded anew while it is asked."""
_ASKED = """given => new Promise(answer => {
  const holds = CONDITION;
  const end = Date.now() + 10_000;
  const look = async () => {
    let held = false;
    try { held = Boolean(await holds(given)); } catch {}
    if (held || Date.now() > end) answer(held);
    else setTimeout(look, 50);
  };
  look();
})"""


def until(page: Any, condition: str, given: object = None) -> None:
    """Wait for a function in JavaScript to return something true, or a promise of that.

    While it throws, it does not hold: the page may have no body yet.
    """
    from playwright.sync_api import Error

    asked = _ASKED.replace("CONDITION", condition)
    deadline = monotonic() + DEADLINE
    while True:
        try:
            if page.evaluate(asked, given):
                return
        except Error as error:
            if not any(words in error.message for words in _LEFT):
                raise
        assert monotonic() < deadline, (condition, given, page.content())


def is_told(page: Any, text: str) -> None:
    """Wait until the page shows this text."""
    until(page, "text => document.body.innerText.includes(text)", text)
