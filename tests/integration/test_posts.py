"""`perles posts` and `perles post`: people in the channels of a workflow."""

import json
import subprocess

from perles.fabric import posts
from perles.store.transaction import Tx
from tests.integration.cli import DEADLINE, Home
from tests.integration.crew import Crew


def _created(home: Home) -> str:
    path = home.pipeline("quiet", [{"key": "ok", "assignee": "human", "question": "go on?"}])
    result = home.perles("create", path)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()[0]


def _post(home: Home, *args: str) -> subprocess.CompletedProcess[str]:
    return home.perles("post", *args)


def test_a_person_posts_and_replies_without_an_engine(home: Home) -> None:
    id = _created(home)

    posted = _post(home, id, "--channel", "planning", "hello", "there")
    assert posted.stdout == f"posted 1 in #planning of {id}\n", posted.stderr
    replied = _post(home, id, "--reply", "1", "and", "@nobody", "--json")
    assert json.loads(replied.stdout) == {"id": id, "status": "succeeded"}
    again = _post(home, id, "--reply", "2", "a reply to a reply")
    assert again.stdout == f"posted 3 in #planning of {id}\n"

    found = home.json("posts", id, "--json")
    assert [(one["id"], one["thread"], one["author"]) for one in found] == [
        (1, 1, "user"),
        (2, 1, "user"),
        (3, 1, "user"),
    ]
    assert home.json("posts", id, "--channel", "general", "--json") == []
    assert [one["id"] for one in home.json("posts", id, "--thread", "3", "--json")] == [1, 2, 3]
    newest = home.json("posts", id, "--limit", "1", "--before", "3", "--json")
    assert [one["id"] for one in newest] == [2]
    lines = home.perles("posts", id).stdout.splitlines()
    assert lines[0].endswith("#planning  user: hello there")
    assert "#planning ↳1  user: and @nobody" in lines[1]


def test_what_cannot_be_posted_is_refused(home: Home) -> None:
    id, other = _created(home), _created(home)
    assert _post(home, other, "hi").returncode == 0

    cases = [
        ((id, "--channel", "lobby", "x"), 3, "the channels are system, tasks"),
        ((id, "--channel", "root", "x"), 2, "cannot post in #root"),
        ((id, "--reply", "1", "x"), 3, "cannot find post '1'"),
        ((id, "--reply", "99999", "x"), 3, "cannot find post"),
        ((id, "x" * 20_000), 2, "over 16384 characters"),
        ((id, " "), 2, "cannot post nothing"),
        ((id, "\x1b[31m"), 2, "no character that can be read"),
        ((id, "--channel", "tasks", "--reply", "1", "x"), 2, "cannot choose a channel"),
    ]
    for args, code, words in cases:
        result = _post(home, *args)
        assert (result.returncode, words in result.stderr) == (code, True), (args, result.stderr)
    home.perles("stop", id)
    assert _post(home, id, "x").returncode == 4
    assert home.perles("posts", id, "--channel", "lobby").returncode == 3
    assert home.json("posts", id, "--json") == []


def test_control_codes_of_a_post_reach_no_terminal(home: Home) -> None:
    id = _created(home)
    _post(home, id, "a\x1b]0;title\x07b\x9bc\u202ed\n    2  10:00:00  #general  user: forged")

    out = home.perles("posts", id).stdout

    assert not any(letter in out for letter in "\x1b\x07\x9b\u202e")
    assert len([line for line in out.splitlines() if not line.startswith("       ")]) == 1


def test_following_prints_each_post_once_and_ends_with_the_workflow(home: Home) -> None:
    id = _created(home)
    _post(home, id, "before")
    follower = home.popen("posts", id, "--follow", "--json")
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["text"] == "before"

    for number in range(3):
        _post(home, id, f"post {number}")
        assert json.loads(follower.stdout.readline())["text"] == f"post {number}"
    home.perles("stop", id)

    assert follower.communicate(timeout=DEADLINE)[0] == ""
    assert follower.returncode == 0


def test_posts_are_unread_until_a_person_was_shown_them(home: Home) -> None:
    id = _created(home)
    crew = Crew(home.database)
    crew.agent(id, "worker-1")
    crew.write(lambda tx: _said(tx, id))
    crew.close()
    _post(home, id, "my own")

    def unread() -> int:
        return int(home.json("show", id, "--json")["unread_posts"])

    for program in (["--json"], ["--thread", "1"]):
        assert home.perles("posts", id, *program).returncode == 0
    assert unread() == 4
    shown = home.perles("posts", id, "--channel", "planning")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert unread() == 3
    older = home.perles("posts", id, "--limit", "1", "--before", "3").stdout
    assert "the second" in older
    assert unread() == 1
    looked = home.perles("posts", id, PERLES_WORKFLOW=id, PERLES_AGENT="worker-1")
    assert "the third" in looked.stdout
    assert unread() == 1
    assert "the third" in home.perles("posts", id).stdout
    assert unread() == 0
    listed = home.perles("list", "--columns", "unread", "--no-header").stdout
    assert listed.strip() == "0"


def _said(tx: Tx, id: str) -> None:
    for channel, text in (
        ("general", "the first"),
        ("general", "the second"),
        ("general", "the third"),
        ("planning", "the fourth"),
    ):
        posts.post(tx, id, channel, posts.Author("worker-1"), text)
