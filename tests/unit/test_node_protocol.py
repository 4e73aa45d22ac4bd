"""Requests and answers of a node as bytes."""

import pytest

from perles.executor.remote.errors import FencedError, NodeError, NodeSpawnError, StaleEpochError
from perles.executor.remote.messages import (
    Answer,
    Hello,
    Part,
    Poll,
    Refused,
    Request,
    Seen,
    Start,
    State,
    States,
    TurnRef,
)
from perles.executor.remote.protocol import Call, checked, decode_answer, decode_call, encode

TURN = TurnRef("wf-1", 7)
START = Start(
    turn=TURN,
    folder="wf-1/worker",
    output="turn-1.stdout.jsonl",
    argv=["true"],
    env={"KEY": "s3cret"},
    stdin=b"s3cret",
    files={"mcp.json": b"s3cret"},
    cwd="/",
)


@pytest.mark.parametrize(
    "request_", [Hello(), START, Poll(turns=[Seen(TURN, 3, 4, 5)], wait=1.0)], ids=type
)
def test_a_call_is_what_it_was(request_: Request) -> None:
    call = Call(epoch=3, until=4.5, boot_id="boot", request=request_)

    assert decode_call(encode(call)) == call


def test_an_answer_is_what_it_was() -> None:
    state = State(turn=TURN, stamp=2, output=b"\xff\n", code=-9)
    answer: Answer = States(turns=[state], clock=1.5, boot_id="boot")

    assert decode_answer(encode(answer)) == answer


def test_what_is_no_call_is_refused() -> None:
    for data in (b"", b"\xc1", encode(Refused(kind="failed", message="no")), b"\x91" * 5000):
        with pytest.raises(NodeError, match="cannot read"):
            decode_call(data)


def test_a_refusal_is_an_error_of_its_kind() -> None:
    with pytest.raises(StaleEpochError, match="older"):
        checked(Refused(kind="stale_epoch", message="older"))
    with pytest.raises(FencedError):
        checked(Refused(kind="fenced", message="over"))
    with pytest.raises(NodeSpawnError) as caught:
        checked(Refused(kind="spawn", message="no such file", number=2))
    assert caught.value.code == 2


def test_no_secret_is_in_what_a_log_would_show() -> None:
    part = Part(part="git", op="put", body=b"s3cret")

    assert "s3cret" not in repr(Call(epoch=1, request=START)) + repr(part)
