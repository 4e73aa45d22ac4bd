"""The fabric: who is told of which post, by each tool, and what is refused with which words."""

import os
from pathlib import Path
from typing import Any

import pytest

from perles.domain.errors import PerlesError
from perles.engine.team.succession import put_fresh
from perles.fabric import posts
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from tests.integration.fabric_stage import ID, OTHER, Stage


@pytest.fixture
def stage(tmp_path: Path, migrated: Path) -> Any:
    (tmp_path / "perles.db").write_bytes(migrated.read_bytes())
    made = Stage(tmp_path)
    yield made
    made.close()


async def test_a_mention_reaches_the_one_that_is_named(stage: Stage) -> None:
    sent = await stage.call("worker-1", "fabric_send", channel="general", content="hi @worker-2.")

    assert (sent["mentions"], sent["tells"]) == (["worker-2"], ["worker-2"])
    assert await stage.unread("worker-2") == ["hi @worker-2."]
    assert await stage.unread("coordinator") == []
    (event,) = stage.events("fabric.posted")
    assert event["payload"]["concerns"] == ["worker-2"]


async def test_nobody_is_told_of_an_own_post(stage: Stage) -> None:
    sent = await stage.call("worker-1", "fabric_send", channel="tasks", content="me: @worker-1")

    assert sent["tells"] == []
    assert sent["notes"] == ["you named yourself: nobody is told of that"]
    assert await stage.unread("worker-1") == []


async def test_here_is_everybody_but_the_author_and_the_observer(stage: Stage) -> None:
    sent = await stage.call("worker-1", "fabric_send", channel="general", content="@here: done")

    assert sorted(sent["tells"]) == ["coordinator", "worker-2"]


async def test_the_coordinator_hears_of_all_in_system(stage: Stage) -> None:
    await stage.call("worker-1", "fabric_send", channel="system", content="up")

    assert await stage.unread("coordinator") == ["up"]
    assert await stage.unread("worker-2") == []


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("all", ["plain", "@worker-2", "@here", "in your thread"]),
        ("mentions", ["@worker-2", "@here"]),
        ("none", ["@worker-2"]),
        (None, ["@worker-2", "@here", "in your thread"]),
    ],
)
async def test_a_subscription_decides_what_one_is_told(
    stage: Stage, mode: str | None, told: list[str]
) -> None:
    if mode is not None:
        await stage.call("worker-2", "fabric_subscribe", channel="#general", mode=mode)
    mine = await stage.call("worker-2", "fabric_send", channel="general", content="mine")
    for text in ("plain", "@worker-2", "@here"):
        await stage.call("worker-1", "fabric_send", channel="general", content=text)
    await stage.call("worker-1", "fabric_reply", message_id=mine["id"], content="in your thread")

    assert await stage.unread("worker-2") == told


async def test_who_unsubscribes_hears_no_more(stage: Stage) -> None:
    await stage.call("worker-2", "fabric_subscribe", channel="general")
    await stage.call("worker-2", "fabric_unsubscribe", channel="general")
    await stage.call("worker-2", "fabric_unsubscribe", channel="general")
    await stage.call("worker-1", "fabric_send", channel="general", content="plain")

    assert await stage.unread("worker-2") == []
    assert [event["payload"]["mode"] for event in stage.events("fabric.subscribed")] == [
        "all",
        None,
    ]


async def test_a_reply_to_a_reply_stands_in_the_same_thread(stage: Stage) -> None:
    first = await stage.call("worker-1", "fabric_send", channel="planning", content="first")
    second = await stage.call("worker-2", "fabric_reply", message_id=first["id"], content="second")
    third = await stage.call(
        "coordinator", "fabric_reply", message_id=str(second["id"]), content="third"
    )

    assert third["parent_id"] == second["parent_id"] == first["id"]
    found = await stage.call("worker-1", "fabric_read_thread", message_id=third["id"])
    assert found["message"]["content"] == "first"
    assert [one["content"] for one in found["replies"]] == ["second", "third"]
    assert found["participants"] == ["worker-1", "worker-2", "coordinator"]
    assert third["tells"] == ["worker-1", "worker-2"]
    history = await stage.call("worker-1", "fabric_history", channel="planning")
    assert [one["reply_count"] for one in history["messages"]] == [2]


async def test_history_is_newest_first_and_goes_on_before_a_post(stage: Stage) -> None:
    ids = []
    for number in range(5):
        sent = await stage.call(
            "worker-1", "fabric_send", channel="general", content=f"post {number}"
        )
        ids.append(sent["id"])
    await stage.call("worker-2", "fabric_ack", message_ids=ids[:1])

    page = await stage.call("worker-2", "fabric_history", channel="general", limit=2)
    older = await stage.call(
        "worker-2",
        "fabric_history",
        channel="general",
        before=page["messages"][-1]["id"],
        include_acked=False,
    )

    assert [one["content"] for one in page["messages"]] == ["post 4", "post 3"]
    assert page["total_count"] == 5
    assert [one["content"] for one in older["messages"]] == ["post 2", "post 1"]


async def test_what_is_acknowledged_leaves_the_inbox(stage: Stage) -> None:
    sent = await stage.call("worker-1", "fabric_send", channel="general", content="@worker-2")

    assert await stage.call("worker-2", "fabric_ack", message_ids=[sent["id"]]) == {
        "acked_count": 1
    }
    assert await stage.call("worker-2", "fabric_ack", message_ids=[str(sent["id"])]) == {
        "acked_count": 0
    }
    assert await stage.unread("worker-2") == []
    assert len(stage.events("fabric.acked")) == 1
    history = await stage.call("worker-2", "fabric_history", channel="general")
    assert history["messages"][0]["is_acked"] is True


async def test_a_long_inbox_is_shown_in_parts_and_counted_as_a_whole(stage: Stage) -> None:
    for number in range(60):
        await stage.call(
            "worker-1", "fabric_send", channel="general", content=f"@worker-2 {number}"
        )

    found = await stage.call("worker-2", "fabric_inbox")

    assert found["total_unacked"] == 60
    (entry,) = found["channels"]
    assert [one["content"] for one in entry["messages"]][-1] == "@worker-2 59"
    assert (len(entry["messages"]), found["not_shown"][:2]) == (50, "10")


async def test_what_is_posted_for_the_observer_concerns_only_it(stage: Stage) -> None:
    await stage.call("worker-2", "fabric_subscribe", channel="observer")
    sent = await stage.call(
        "worker-1", "fabric_send", channel="observer", content="@here @worker-2"
    )

    assert sent["tells"] == []
    assert "concerns the observer only" in sent["notes"][0]
    sent = await stage.call("worker-1", "fabric_send", channel="observer", content="@observer")
    assert sent["tells"] == ["observer"]


async def test_an_observer_writes_in_its_own_channel_only(stage: Stage) -> None:
    sent = await stage.call("worker-1", "fabric_send", channel="tasks", content="@observer?")
    mine = await stage.call("observer", "fabric_send", channel="observer", content="note")
    await stage.call("observer", "fabric_reply", message_id=mine["id"], content="more")

    with pytest.raises(PerlesError, match="cannot call fabric_send"):
        await stage.call("observer", "fabric_send", channel="tasks", content="x")
    with pytest.raises(PerlesError, match="an observer posts in #observer only"):
        await stage.call("observer", "fabric_reply", message_id=sent["id"], content="x")


@pytest.mark.parametrize(
    ("tool", "given", "words"),
    [
        ("fabric_send", {"channel": "lobby", "content": "x"}, "lobby"),
        ("fabric_send", {"channel": "root", "content": "x"}, "root"),
        ("fabric_send", {"channel": "tasks", "content": "x" * 1_000_000}, "at most 16384"),
        ("fabric_send", {"channel": "tasks", "content": "\x1b[31m\x07\r\x00 "}, "no character"),
        ("fabric_send", {"channel": "tasks", "content": ""}, "cannot call fabric_send"),
        ("fabric_send", {"channel": "tasks", "content": "x", "kind": "shout"}, "kind"),
        ("fabric_reply", {"message_id": 99, "content": "x"}, "cannot find post '99'"),
        ("fabric_reply", {"message_id": "abc", "content": "x"}, "message_id"),
        ("fabric_ack", {"message_ids": []}, "message_ids"),
        ("fabric_ack", {"message_ids": [99]}, "cannot find post '99'"),
        ("fabric_history", {"channel": "lobby"}, "the channels are system, tasks"),
        ("fabric_history", {"channel": "tasks", "limit": 0}, "limit"),
        ("fabric_subscribe", {"channel": "lobby"}, "the channels are system, tasks"),
        ("fabric_subscribe", {"channel": "tasks", "mode": "some"}, "mode"),
        ("fabric_unsubscribe", {"channel": "lobby"}, "the channels are system, tasks"),
        ("fabric_read_thread", {"message_id": 99}, "cannot find post '99'"),
    ],
)
async def test_what_cannot_be_is_refused_with_what_to_do(
    stage: Stage, tool: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(PerlesError) as refused:
        await stage.call("worker-1", tool, **given)

    assert words in str(refused.value)
    assert stage.events("fabric.*") == []


async def test_control_codes_do_not_reach_a_row(stage: Stage) -> None:
    sent = await stage.call(
        "worker-1", "fabric_send", channel="tasks", content="a\x1b[2Jb\x07\u202ec\nd\x00"
    )

    found = await stage.call("worker-2", "fabric_read_thread", message_id=sent["id"])
    assert found["message"]["content"] == "abc\nd"


async def test_posts_of_another_workflow_are_not_there(stage: Stage) -> None:
    sent = await stage.call(
        "coordinator", "fabric_send", workflow_id=OTHER, channel="tasks", content="@worker-1"
    )

    assert sent["notes"] == ["nobody is called worker-1"]
    for tool, given in (
        ("fabric_reply", {"message_id": sent["id"], "content": "x"}),
        ("fabric_ack", {"message_ids": [sent["id"]]}),
        ("fabric_read_thread", {"message_id": sent["id"]}),
        ("fabric_attach", {"target_id": sent["id"], "path": "a"}),
    ):
        (stage.work / "a").touch()
        with pytest.raises(PerlesError, match="cannot find post"):
            await stage.call("worker-1", tool, **given)
    assert (await stage.call("worker-1", "fabric_history", channel="tasks"))["messages"] == []


async def test_a_successor_gets_what_the_one_before_it_did_not_read(stage: Stage) -> None:
    await stage.call("worker-2", "fabric_subscribe", channel="planning", mode="all")
    mine = await stage.call("worker-2", "fabric_send", channel="general", content="mine")
    await stage.call("worker-1", "fabric_send", channel="general", content="@worker-2 unread")
    old = stage.agent("worker-2")
    fresh = stage.database.write(lambda tx: put_fresh(tx, stage.context, old.id, why="it hangs"))

    sent = await stage.call("worker-1", "fabric_send", channel="general", content="@worker-2 two")
    await stage.call("worker-1", "fabric_send", channel="planning", content="three")
    await stage.call("worker-1", "fabric_reply", message_id=mine["id"], content="four")

    assert sent["notes"] == [f"worker-2 is retired: {fresh.name} is told in its place"]
    assert sorted(await stage.unread(fresh.name)) == [
        "@worker-2 two",
        "@worker-2 unread",
        "four",
        "three",
    ]


async def test_a_retired_agent_without_successor_is_not_told_and_its_author_knows(
    stage: Stage,
) -> None:
    stage.set_status("worker-2", "retire")
    old = stage.agent("worker-2").id
    stage.database.write(lambda tx: tx.update(Agent, old, retired_at=tx.now))

    sent = await stage.call("worker-1", "fabric_send", channel="general", content="@worker-2 @user")

    assert sent["tells"] == []
    assert sent["notes"] == [
        "the user reads the channels now and then: ask_user asks at once",
        "worker-2 reads no posts: it is retired, or runs commands only",
    ]


async def test_agents_that_only_run_commands_read_no_posts(stage: Stage) -> None:
    stage.add("worker-7", provider="builtin")

    sent = await stage.call("worker-1", "fabric_send", channel="tasks", content="@worker-7 @here")

    assert "worker-7" not in sent["tells"]
    assert "worker-7 reads no posts" in sent["notes"][0]


async def test_a_task_has_one_thread_and_its_crew_is_not_told_twice(stage: Stage) -> None:
    await stage.call("observer", "fabric_subscribe", channel="tasks")
    worker = stage.agent("worker-1")

    def work(tx: Any) -> list[int]:
        task = tx.insert(
            Task, workflow_id=ID, key="a", title="A", status="ready", implementer_id=worker.id
        )
        author = posts.Author("coordinator", stage.agent("coordinator").id)
        found = [
            posts.in_task_thread(tx, tx.need(Task, task), author, "go @worker-2", "request"),
            posts.in_task_thread(tx, tx.need(Task, task), posts.Author.of(worker), "x" * 99_999),
        ]
        return [one.thread for one in found]

    first, second = stage.database.write(work)

    assert first == second
    assert await stage.unread("worker-1") == await stage.unread("coordinator") == []
    assert (await stage.unread("worker-2"))[0] == "go @worker-2"
    assert len(await stage.unread("observer")) == 2
    await stage.call("coordinator", "fabric_reply", message_id=first, content="and?")
    assert await stage.unread("worker-1") == ["and?"]


async def test_a_file_in_the_work_dir_is_attached(stage: Stage) -> None:
    sent = await stage.call("worker-1", "fabric_send", channel="tasks", content="see")
    (stage.work / "sub").mkdir()
    (stage.work / "sub" / "report.md").write_text("# done")

    made = await stage.call("worker-1", "fabric_attach", target_id=sent["id"], path="sub/report.md")

    found = await stage.call("worker-2", "fabric_read_thread", message_id=sent["id"])
    (artifact,) = found["artifacts"]
    assert (artifact["id"], artifact["name"], artifact["size_bytes"]) == (
        made["id"],
        "report.md",
        6,
    )
    assert artifact["path"] == str(stage.work / "sub" / "report.md")
    assert len(stage.events("fabric.attached")) == 1
    history = await stage.call("worker-2", "fabric_history", channel="tasks")
    assert history["messages"][0]["has_artifact"] is True


def _links(work: Path) -> None:
    (work / "link").symlink_to("/etc/hostname")
    (work / "folder").symlink_to("/etc")
    (work / "dir").mkdir()
    os.mkfifo(work / "fifo")
    (work / "one").touch()
    os.link(work / "one", work / "two")
    with (work / "huge").open("wb") as file:
        file.truncate(5 * 1024**3)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/hostname", "it is not in"),
        ("../perles.db", "it is not in"),
        ("sub/../../perles.db", "it is not in"),
        ("link", "a link stands there"),
        ("folder/hostname", "no link leads to"),
        ("dir", "a folder"),
        (".", "it is not in"),
        ("fifo", "a pipe"),
        ("two", "another name"),
        ("huge", "at most 1073741824"),
        ("gone", "No such file"),
        ("a\x00b", "null"),
        ("x" * 4000, "too long"),
    ],
)
async def test_what_is_no_file_of_the_work_dir_is_not_attached(
    stage: Stage, path: str, words: str
) -> None:
    _links(stage.work)
    sent = await stage.call("worker-1", "fabric_send", channel="tasks", content="see")

    with pytest.raises(PerlesError) as refused:
        await stage.call("worker-1", "fabric_attach", target_id=sent["id"], path=path)

    assert words in str(refused.value)
    assert stage.events("fabric.attached") == []
