"""The rules of axe, for who reads the page with a screen reader, or sees little."""

from importlib.resources import files
from typing import Any

import pytest

from tests.page.stage import Stage
from tests.page.waits import until

VIEWS = {
    "": "ul.cards > li",
    "inbox": "ul.cards > li",
    "nodes": "ul.cards > li",
    "w/graph/tasks": ".node",
    "w/graph/agents": ".cards > li",
    "w/asks/posts": ".lines > li",
    "w/asks/transcript": ".lines > li",
    "w/asks/timeline": ".lines > li",
    "w/changes/diff": ".part details",
}
RULES = """async rules => {
  const found = await axe.run(document, rules ? {runOnly: rules} : {});
  return found.violations.map(one =>
    [one.id, one.help, ...one.nodes.map(node => `${node.html} ${node.failureSummary}`)]);
}"""
STANDS = """([tab, selector]) => {
  const here = document.querySelector('.tabs [aria-current]')?.getAttribute('href') ?? '';
  return here.endsWith(tab) && document.querySelector(selector);
}"""
OPEN = """() => {
  for (const one of document.querySelectorAll('details'))
    one.open = !one.innerText.includes('many.txt');
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The program that applies the rules."""
    pytest.importorskip(
        "axe_playwright_python",
        reason="THE RULES OF AXE ARE NOT TRIED: pip install axe-playwright-python",
    )
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


def _violations(page: Any, where: str) -> list[Any]:
    """What is against the rules, and in the other colours against those of colours."""
    found = [(where, *one) for one in page.evaluate(RULES, None)]
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if is_dark else "dark")
    found += [(where, "other colours", *one) for one in page.evaluate(RULES, ["color-contrast"])]
    return found


def _folded_is_opened(page: Any) -> None:
    """What stands in folded parts is read, too, but for a very long one."""
    page.evaluate(OPEN)


def test_a_screen_reader_can_use_each_view(page: Any, stage: Stage, axe: str) -> None:
    page.evaluate(axe)
    found = []
    for path, stands in VIEWS.items():
        page.evaluate("path => { location.hash = `#/${path}`; }", path)
        _stands(page, path, stands)
        _folded_is_opened(page)
        found += _violations(page, path)

    assert not found


def test_a_screen_reader_can_use_a_question_of_the_page(page: Any, stage: Stage, axe: str) -> None:
    page.evaluate(axe)
    page.evaluate("() => { location.hash = '#/w/graph'; }")
    page.get_by_role("button", name="Stop").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("textbox").evaluate("it => it === document.activeElement")

    found = _violations(page, "dialog")
    page.keyboard.press("Escape")

    assert not found
    assert dialog.count() == 0


def test_a_screen_reader_can_use_the_form_that_asks_for_a_token(
    page: Any, stage: Stage, axe: str
) -> None:
    given = page.evaluate("localStorage.getItem('perles-token')")
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Token").wait_for()
    page.evaluate(axe)

    found = _violations(page, "login")
    page.evaluate("token => localStorage.setItem('perles-token', token)", given)

    assert not found


def _stands(page: Any, path: str, selector: str) -> None:
    """Wait until a view is there, which has the tab of its own."""
    tab = path.rpartition("/")[2] if path.startswith("w/") else ""
    until(page, STANDS, [tab, selector])
