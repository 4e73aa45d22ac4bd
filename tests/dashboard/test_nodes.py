"""The nodes of a cluster on the screen: what is told of them, and the keys that act on one."""

from dataclasses import replace
from typing import Any

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.nodes import Nodes
from perles.dashboard.model.state import Effect, State, View
from perles.dashboard.terminal.segments import columns_of
from tests.dashboard.views import pressed, table

SIZE = (120, 24)
SHOWN = State(screen="nodes")
CLUSTER = {
    "place": "tcp://box1:8786", "state": "connected", "since": "2030-03-17T17:00:00.000Z",
    "lost_after": 33.0, "problem": None,
}  # fmt: skip


def _node(name: str, **given: Any) -> dict[str, Any]:
    return {
        "name": name, "state": "ready", "drain": False, "slots": 4, "used": 1, "labels": ["gpu"],
        "host": name, "perles": "0.9", "python": "3.11.7", "cpus": 8, "memory": 2**34,
        "memory_free": 2**33, "disk_free": 2**35, "skew": 0.0, "problems": [], "turns": [],
        "joined_at": "2030-03-17T17:00:00.000Z", "last_heard_at": "2030-03-17T17:46:30.000Z",
        **given,
    }  # fmt: skip


TURN = {
    "workflow_id": "wf-00000001", "workflow": "nightly", "agent": "worker-1", "task": "lint",
    "started_at": "2030-03-17T17:45:00.000Z",
}  # fmt: skip


def _view(*nodes: dict[str, Any], size: tuple[int, int] = SIZE, **cluster: Any) -> View:
    return table(3, size)._replace(nodes=nodes, cluster={**CLUSTER, **cluster})


def _text(state: State, view: View) -> str:
    frame = Composer().compose(state, view)[1]
    assert {columns_of(one) for one in frame.lines} == {view.size[0]}
    return "\n".join("".join(part.text for part in one).rstrip() for one in frame.lines)


def test_all_that_is_known_of_a_node_is_on_the_screen() -> None:
    odd = _node("box2", state="unreachable", skew=-3600.0, problems=["no answer\x1b[2J"])
    view = _view(_node("box1", turns=[TURN]), odd)

    first = _text(SHOWN, view)
    second = _text(pressed(SHOWN, view, "j")[0], view)

    for word in ("Nodes 1 of 2 ready", "tcp://box1:8786 connected", "1/4", "8.0 GiB of 16.0 GiB",
                 "gpu", "nightly: worker-1 lint", "python 3.11.7", "clock as here"):  # fmt: skip
        assert word in first, word
    for word in ("▲ unreachable", "no answer", "1h00m behind", "no turn runs there"):
        assert word in second, word
    assert "\x1b" not in second


@pytest.mark.parametrize("size", [(24, 5), (40, 10), (80, 24), (200, 60)])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_any_size_has_a_frame_with_any_number_of_nodes(size: tuple[int, int], count: int) -> None:
    view = _view(*(_node(f"box{n}") for n in range(count)), size=size)
    state, _ = pressed(SHOWN, view, "G")

    assert ("box49" in _text(state, view)) == (count == 50)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"state": "connecting"}, "waiting for the cluster (tcp://box1:8786): connecting since"),
        ({"state": "unreachable", "problem": "refused"}, "unreachable since"),
        ({}, "waiting for the first node of the cluster"),
    ],
)
def test_without_a_node_it_is_said_what_is_waited_for(given: dict[str, Any], said: str) -> None:
    assert said in _text(SHOWN, _view(**given)).replace("\n  ", " ")
    assert "no nodes: turns run on this" in _text(SHOWN, table(3, SIZE))


def test_a_cluster_that_cannot_be_reached_is_told_on_every_screen() -> None:
    view = _view(_node("box1"), state="unreachable", problem="connection refused")

    for state in (State(), State(screen="inbox"), SHOWN):
        assert "▲ the cluster is unreachable since" in _text(state, view)
    assert "unreachable" not in _text(State(), _view(_node("box1")))


def test_keys_drain_and_resume_the_selected_node() -> None:
    view = _view(_node("box1"), _node("box2"))
    state, effects = pressed(State(), view, "C", "j", "d", "r")

    assert state.nodes == Nodes(1, "box2")
    assert effects == [
        Effect("node", {"verb": "drain", "name": "box2"}),
        Effect("node", {"verb": "resume", "name": "box2"}),
    ]
    above = _view(_node("box0"), _node("box1"), _node("box2"))
    assert pressed(state, above, "d")[1] == [Effect("node", {"verb": "drain", "name": "box2"})]


def test_enter_opens_what_runs_there_and_esc_goes_back() -> None:
    view = _view(_node("box1", turns=[TURN]), _node("box2"))

    opened, _ = pressed(SHOWN, view, "enter")
    assert opened.detail is not None
    assert opened.detail.workflow_id == "wf-00000001"
    assert "no turn runs there" in pressed(SHOWN, view, "j", "enter")[0].notice.text
    assert pressed(SHOWN, view, "esc")[0].screen == "table"
    assert "there is no node" in pressed(SHOWN, _view(), "d")[0].notice.text


def test_a_click_selects_the_row_it_is_on() -> None:
    from perles.dashboard.terminal.keys import Key
    from perles.dashboard.update.dispatch import press

    view = _view(*(_node(f"box{n}") for n in range(30)))
    lines = _text(SHOWN, view).splitlines()
    y = next(at for at, text in enumerate(lines) if text.startswith("box3 "))

    clicked, _ = press(SHOWN, Key("click", "", y=y), view)
    assert clicked.nodes.name == "box3"
    assert press(SHOWN, Key("click", "", y=0), view)[0] == replace(SHOWN)
