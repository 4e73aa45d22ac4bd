"""A tool call's Idempotency-Key: the same call is carried out once, another tool is refused."""

import json

from tests.integration.cli import Home
from tests.integration.scripted_cli import with_tools

SOURCE = """\
def again(tool, **arguments):  # with the key of the call before
    tools._number -= 1
    try:
        return tools.call(tool, **arguments)
    except CallFailed as error:
        return str(error)

first = tools.call("notify_user", message="hello")
seen = [first, again("notify_user", message="hello"), again("create_task", key="k", title="t",
                                                            body="b")]
try:
    tools.call("mark_task_failed", task_id="nobody", reason="why")
except CallFailed as error:
    seen.append(str(error))
seen += [again("mark_task_failed", task_id="nobody", reason="why"),
         again("notify_user", message="hello")]
json.dump(seen, open("seen.json", "w"))
tools.call("signal_workflow_complete", status="success", summary="done")
"""


def test_a_key_is_of_one_call_of_one_tool(home: Home) -> None:
    with_tools(home, SOURCE)

    result = home.perles("run", "make the tests faster", "--coordinator", "mycli")

    assert result.returncode == 0, result.stderr
    first, again, other, refused, refused_again, told = json.loads(
        (home.work / "seen.json").read_text()
    )
    assert first == again
    assert "its Idempotency-Key was used for notify_user" in other
    assert refused == refused_again
    assert "its Idempotency-Key was used for mark_task_failed" in told
    types = [event["type"] for event in home.events()]
    assert types.count("user.notification") == 1
    assert types.count("task.created") == 0
