"""What a person says to agents and to tasks that wait, on a terminal with a real engine."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboard.terminal import Terminal
from tests.integration.cli import Home
from tests.integration.scripted_cli import prompted, with_tools

ASK: dict[str, Any] = {
    "key": "ok",
    "name": "Deploy?",
    "assignee": "human",
    "question": "approve deploy?",
}


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    """A dashboard that started a workflow, which waits for a person; on its inbox."""
    tasks = [ASK, {"key": "deploy", "run": "echo deployed", "after": ["ok"]}]
    home.perles("create", home.pipeline("ship", tasks))
    made = Terminal(home, "dashboard", columns=110)
    made.shows("○ pending")
    made.type("s")
    made.shows("1 for you")
    made.type("i")
    made.shows("approve deploy?")
    yield made
    if made.process.poll() is None:
        made.type("\x03")
        made.ends()


def test_approve_in_the_inbox(home: Home, terminal: Terminal) -> None:
    terminal.type("ygo on\r")

    terminal.shows("approved ok of")
    terminal.shows("nothing waits for you")
    terminal.type("\x1b")
    terminal.shows("✓ completed")
    task = home.json("show", "ship", "--json")["tasks"][0]
    assert (task["status"], task["summary"]) == ("done", "go on")


def test_deny_in_the_inbox_with_a_reason(home: Home, terminal: Terminal) -> None:
    terminal.type("d\r")
    terminal.shows("say why")
    terminal.type("not on a friday\r")

    terminal.shows("denied ok of")
    terminal.shows("✗ failed")
    terminal.type("a")
    terminal.shows("nothing waits for you")
    assert home.json("show", "ship", "--json")["tasks"][0]["failure"] == "denied: not on a friday"
    assert home.json("inbox", "--json") == []


def test_what_another_process_answers_is_told_where_the_answer_is_typed(
    home: Home, terminal: Terminal
) -> None:
    terminal.type("dbecause")
    terminal.shows("Deny, why: because")
    home.perles("approve", "ship", "ok")

    terminal.shows("it does not wait any more")
    terminal.type("\r")
    terminal.shows("nothing was sent")
    assert home.json("show", "ship", "--json")["tasks"][0]["status"] == "done"


def test_a_message_in_the_chat_reaches_the_agent(home: Home, terminal: Terminal) -> None:
    terminal.type("\r")
    terminal.shows("coordinator]")
    terminal.type("mhello\x0athere 表🎉\r")

    terminal.shows("sent to coordinator of")
    terminal.shows("there 表🎉")
    (sent,) = [e for e in home.events() if e["type"].endswith(".incoming") and "hello" in str(e)]
    assert sent["payload"]["text"] == "hello\nthere 表🎉"
    terminal.type("\x1b[A")
    terminal.wait_for("what was sent before", lambda text: text.count("there 表🎉") == 2)


def test_a_message_that_cannot_be_sent_is_told_and_kept(home: Home, terminal: Terminal) -> None:
    terminal.type("\r")
    terminal.shows("coordinator]")
    terminal.type("mtoo late")
    home.perles("stop", "ship")
    terminal.shows("■ stopped")

    terminal.type("\r")

    terminal.shows("cannot send")
    assert "too late" in terminal.text()


ASKS = """\
if "The answer:" in prompt:
    tools.call("report_implementation_complete", summary=prompt[-12:], exit_code=0)
elif not os.path.exists("asked"):
    open("asked", "w").close()
    tools.call("ask_user", question="Tabs or spaces?", options=["tabs", "spaces"])
"""


def test_a_question_of_an_agent_is_answered_in_the_inbox(home: Home) -> None:
    with_tools(home, ASKS)
    home.perles("create", prompted(home, "Indent it."))
    terminal = Terminal(home, "dashboard", columns=110)
    try:
        terminal.shows("○ pending")
        terminal.type("s")
        terminal.shows("1 for you")
        terminal.type("i")
        terminal.shows("worker-1 asks: Tabs or spaces?")

        terminal.type("m2\r")

        terminal.shows("answered question 1 of")
        terminal.shows("nothing waits for you")
        terminal.type("\x1b")
        terminal.shows("✓ completed")
    finally:
        terminal.type("\x03")
        terminal.ends()
    (question,) = home.json("questions", home.only(), "--all", "--json")
    assert question["answer"] == "spaces"
