"""Agents that are real processes talk in channels, over engines that die."""

from functools import partial

import pytest

from tests.integration.cli import Home
from tests.integration.scripted_cli import with_tools

SOURCE = """\
me = os.environ["PERLES_AGENT"]
other = {"worker-1": "worker-2", "worker-2": "worker-1"}[me]
if "Your task:" in prompt:
    assert "Its thread in #tasks is post" in prompt
    tools.call("fabric_send", channel="general", content=f"@{other}, which port?")
    tools.call("report_implementation_complete", summary="asked", exit_code=0)
for entry in tools.call("fabric_inbox")["channels"]:
    for post in entry["messages"]:
        if "which port" in post["content"]:
            tools.call("fabric_reply", message_id=post["id"], content=f"8080, says {me}")
        tools.call("fabric_ack", message_ids=[post["id"]])
        with open(f"read-{me}", "a") as file:
            file.write(post["created_by"] + ": " + post["content"] + "\\n")
"""


def _read(home: Home, name: str) -> list[str]:
    path = home.work / f"read-{name}"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def _has_read(home: Home, name: str, texts: list[str]) -> bool:
    return _read(home, name) == texts


@pytest.mark.parametrize("dies", [False, True], ids=["one engine", "an engine that dies"])
def test_workers_ask_and_answer_each_other(home: Home, dies: bool) -> None:
    with_tools(home, SOURCE)
    gate = {"key": "end", "assignee": "human", "question": "enough?"}
    tasks = [gate, *({"key": key, "prompt": "Ask.", "worker": "mycli"} for key in "ab")]
    id = home.perles("create", home.pipeline("talk", tasks)).stdout.split()[0]
    assert home.perles("serve", "--detach").returncode == 0
    home.perles("start", id)
    if dies:
        home.wait_for("a question", lambda: home.json("posts", id, "-c", "general", "--json"))
        home.kill_engine()
        assert home.perles("serve", "--detach").returncode == 0

    expected = {
        "worker-1": ["worker-2: 8080, says worker-2", "worker-2: @worker-1, which port?"],
        "worker-2": ["worker-1: 8080, says worker-1", "worker-1: @worker-2, which port?"],
    }
    for name, texts in expected.items():
        home.wait_for(f"{name} to read", partial(_has_read, home, name, texts))
    home.perles("approve", id, "end")
    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")

    posts = home.json("posts", id, "-c", "general", "--json")
    assert sorted((post["author"], post["text"]) for post in posts) == sorted(
        [
            ("worker-1", "@worker-2, which port?"),
            ("worker-2", "@worker-1, which port?"),
            ("worker-1", "8080, says worker-1"),
            ("worker-2", "8080, says worker-2"),
        ]
    )
    threads = home.json("posts", id, "-c", "tasks", "--json")
    begun = [post for post in threads if post["thread"] == post["id"]]
    assert {post["text"].split(":")[0] for post in begun} == {"a", "b"}
    assert all(post["replies"] >= 1 for post in begun)
    nudged = [
        event["payload"]["text"]
        for event in home.events("--type", "worker.incoming")
        if "Posts in the channels concern you" in event["payload"]["text"]
    ]
    assert len(nudged) <= 4  # two posts concern each
