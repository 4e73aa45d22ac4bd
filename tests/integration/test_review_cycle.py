"""The review cycle: implement, report, review, deny, mend, approve, commit, complete."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.domain.errors import ToolError, WrongStateError
from perles.domain.states import AGENT
from perles.engine.team import reminders
from perles.store.schema.agents import Agent
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import answers
from tests.integration.review_world import ID, ReviewWorld


@pytest.fixture
def team(tmp_path: Path, migrated: Path) -> Iterator[ReviewWorld]:
    shutil.copy(migrated, tmp_path / "perles.db")
    made = ReviewWorld(tmp_path, max_review_rounds=2)
    yield made
    made.close()


def refused(text: str) -> "pytest.RaisesExc[ToolError]":
    return pytest.raises(ToolError, match=re.escape(text))


def reject(team: ReviewWorld) -> None:
    team.implemented()
    team.ask()
    team.decide("DENIED", comments="no test")


def approve(team: ReviewWorld) -> None:
    team.implemented()
    team.ask()
    team.decide("APPROVED")


def leave(team: ReviewWorld, name: str, how: str) -> None:
    """The worker fails, is stopped or retired, as the database has it then."""

    def go(tx: Tx) -> None:
        agent = team.agent(name)
        if how == "failed":
            fire(tx, AGENT, agent.id, "deliver")
            fire(tx, AGENT, agent.id, "turn_failed")
        else:
            fire(tx, AGENT, agent.id, "stop")

    team.write(go)


def test_a_task_is_denied_mended_approved_committed_and_done(team: ReviewWorld) -> None:
    team.repository()
    team.implemented()
    assert team.state() == ("in_progress", {"worker-1": "awaiting_review"})
    team.ask(review_type="simple")
    assert team.state() == (
        "in_review",
        {"worker-1": "awaiting_review", "worker-2": "reviewing"},
    )
    letter = team.told("worker-2")
    assert "do a" in letter
    assert "it is done" in letter
    assert "look well" in letter
    assert team.task().base_commit is not None
    assert str(team.task().base_commit)[:12] in letter

    team.decide("DENIED", comments="no test")
    assert team.state() == ("denied", {"worker-1": "awaiting_review"})
    assert "DENIED; call assign_review_feedback.\nno test" in team.told("coordinator")
    team.feedback(text="write a test")
    assert team.state() == ("in_progress", {"worker-1": "addressing_feedback"})
    told = team.told("worker-1")
    assert "no test" in told
    assert "write a test" in told

    team.call("worker-1", "report_implementation_complete", summary="now tested", exit_code=0)
    team.ask()
    letter = team.told("worker-2")
    assert "review 2" in letter
    assert "now tested" in letter
    assert "no test" in letter
    team.decide("APPROVED", comments="fine")
    assert team.state() == ("approved", {"worker-1": "awaiting_review"})
    assert "APPROVED; call approve_commit" in team.told("coordinator")
    team.release(commit_message="Add a test")
    assert team.state() == ("committing", {"worker-1": "committing"})
    assert "Add a test" in team.told("worker-1")

    id = team.commit("Add a test", "test_a.py")
    report = {"summary": "committed", "exit_code": 0, "commits": [id[:9]]}
    team.call("worker-1", "report_implementation_complete", **report)
    told = team.told("coordinator")
    assert "the commit of task a" in told
    assert f"- {id[:12]} Add a test (2 files)" not in told
    assert f"- {id[:12]} Add a test (1 file)" in told
    team.lead("mark_task_complete", task_id="a")

    assert team.state() == ("done", {})
    assert {agent.phase for agent in team.agents()} == {"idle"}
    assert team.comments() == [
        ("report", "worker-1", 1),
        ("review", "coordinator", 1),
        ("denied", "worker-2", 1),
        ("feedback", "coordinator", 2),
        ("report", "worker-1", 2),
        ("review", "coordinator", 2),
        ("approved", "worker-2", 2),
        ("approval", "coordinator", 2),
        ("commit", "worker-1", 2),
    ]
    (receipt,) = team.events("task.receipt")
    assert (receipt["branch"], receipt["commits"], receipt["files"]) == ("main", [id], 1)


def test_a_task_without_a_review_is_completed_as_ever(team: ReviewWorld) -> None:
    team.implemented()
    team.lead("mark_task_complete", task_id="a")

    assert team.state() == ("done", {})


def test_nobody_reviews_their_own_work_or_while_they_are_busy(team: ReviewWorld) -> None:
    team.implemented("a", "worker-1")
    team.implemented("b", "worker-3")

    with refused("by worker-1: it is the task's own worker"):
        team.ask(by="worker-1")
    with refused("by worker-3: it is ready, its phase awaiting_review"):
        team.ask(by="worker-3")
    with refused("it is not the task of worker-2, worker-1 has it"):
        team.ask(of="worker-2", by="worker-3")
    team.ask()
    with refused("worker-2 reviews it; wait for its verdict"):
        team.ask(by="worker-2")
    with refused("by worker-2: it is ready, its phase reviewing"):
        team.ask("b", of="worker-3")


def test_only_reported_work_is_reviewed(team: ReviewWorld) -> None:
    team.create()
    team.lead("assign_task", task_id="a", worker_id="worker-1")

    with refused("worker-1 has not reported on it yet"):
        team.ask()


def test_a_verdict_is_given_once_by_the_reviewer(team: ReviewWorld) -> None:
    team.implemented()
    team.ask()

    for name in ("worker-1", "worker-3"):
        with refused("you have no review in hand"):
            team.decide("APPROVED", by=name)
    team.decide("DENIED")
    with refused("you have no review in hand"):
        team.decide("APPROVED")
    assert team.task().status == "denied"


def test_a_reviewer_that_was_replaced_decides_nothing(team: ReviewWorld) -> None:
    team.implemented()
    team.ask()
    fresh = team.replace("worker-2")

    assert "Review task a" in team.told(fresh.name)
    with refused("you have no review in hand"):
        team.decide("APPROVED")
    team.decide("APPROVED", by=fresh.name)
    assert team.task().status == "approved"


def test_a_denied_task_is_neither_committed_nor_completed(team: ReviewWorld) -> None:
    reject(team)

    with refused("it is denied, not approved; assign_review_feedback"):
        team.release()
    with refused("it is denied; assign_review_feedback"):
        team.lead("mark_task_complete", task_id="a")
    team.feedback()
    with refused("it is in_progress, not approved; assign_task_review"):
        team.release()
    team.call("worker-1", "report_implementation_complete", summary="mended", exit_code=0)
    with refused("it is in_progress after a denial; assign_task_review"):
        team.lead("mark_task_complete", task_id="a")


def test_nothing_is_committed_before_an_approval(team: ReviewWorld) -> None:
    team.implemented()
    with refused("it is in_progress, not approved"):
        team.release()
    team.ask()
    with refused("it is in_review, not approved; wait for the verdict"):
        team.release()
    with refused("it is in_review; wait for the verdict"):
        team.lead("mark_task_complete", task_id="a")


def test_a_commit_is_awaited(team: ReviewWorld) -> None:
    approve(team)
    team.release()

    with refused("it is committing; wait for worker-1 to report its commit"):
        team.lead("mark_task_complete", task_id="a")
    with refused("it is committing, not approved; wait for the report of its commit"):
        team.release()
    team.call("worker-1", "report_implementation_complete", summary="conflict", exit_code=1)
    with refused("its command ended with exit 1"):
        team.lead("mark_task_complete", task_id="a")
    team.release()
    team.call("worker-1", "report_implementation_complete", summary="committed", exit_code=0)
    with refused("you have no task in hand that waits for a report"):
        team.call("worker-1", "report_implementation_complete", summary="again", exit_code=0)
    team.lead("mark_task_complete", task_id="a")


def test_approved_work_is_completed_only_where_nothing_is_left_to_commit(
    team: ReviewWorld,
) -> None:
    team.repository()
    team.implemented("a")
    team.implemented("b", "worker-3")
    (team.work / "new.txt").write_text("x")
    team.ask()
    team.decide("APPROVED")

    with refused("are not committed; approve_commit"):
        team.lead("mark_task_complete", task_id="a")
    team.commit("all of it", "new.txt")
    team.lead("mark_task_complete", task_id="a")

    assert team.state() == ("done", {})


def test_approved_work_outside_of_a_repository_is_completed(team: ReviewWorld) -> None:
    approve(team)
    team.lead("mark_task_complete", task_id="a")

    assert team.state() == ("done", {})


@pytest.mark.parametrize("how", ["failed", "stopped"])
def test_the_review_of_one_who_is_gone_is_given_to_another(team: ReviewWorld, how: str) -> None:
    team.implemented()
    team.ask()
    leave(team, "worker-2", how)

    team.ask(by="worker-3")

    assert team.state()[1] == {"worker-1": "awaiting_review", "worker-3": "reviewing"}
    assert team.agent("worker-2").phase == "idle"
    team.decide("APPROVED", by="worker-3")
    assert team.task().status == "approved"


@pytest.mark.parametrize("stage", ["in_review", "denied", "approved", "committing"])
def test_the_task_of_one_who_is_gone_is_given_to_another(team: ReviewWorld, stage: str) -> None:
    team.implemented()
    team.ask()
    if stage != "in_review":
        team.decide("DENIED" if stage == "denied" else "APPROVED")
    if stage == "committing":
        team.release()
    assert team.task().status == stage
    with refused("cannot assign task a: it is"):
        team.lead("assign_task", task_id="a", worker_id="worker-3")
    leave(team, "worker-1", "failed")
    if stage in ("denied", "approved"):
        with refused("worker-1 is failed; assign_task gives the task to another worker"):
            (team.feedback if stage == "denied" else team.release)()

    team.lead("assign_task", task_id="a", worker_id="worker-3")

    assert team.state() == ("in_progress", {"worker-3": "implementing"})
    assert {team.agent(f"worker-{number}").phase for number in (1, 2)} == {"idle"}
    assert (team.task().attempt, team.task().denials, team.task().verdict) == (2, 0, None)


@pytest.mark.parametrize("stage", ["in_review", "denied", "approved", "committing"])
def test_a_task_that_is_given_up_frees_both(team: ReviewWorld, stage: str) -> None:
    team.implemented()
    team.ask()
    if stage != "in_review":
        team.decide("DENIED" if stage == "denied" else "APPROVED")
    if stage == "committing":
        team.release()

    team.lead("mark_task_failed", task_id="a", reason="it is not worth it")

    assert team.state() == ("failed", {})
    assert {agent.phase for agent in team.agents()} == {"idle"}
    assert stage != "in_review" or team.told("worker-2") == ""
    team.lead("reopen_task", task_id="a", reason="it is")
    team.lead("assign_task", task_id="a", worker_id="worker-2")
    assert team.task().reviewer_id is None


def test_the_implementer_that_is_replaced_goes_on_in_its_phase(team: ReviewWorld) -> None:
    reject(team)
    team.feedback(text="write a test")
    fresh = team.replace("worker-1")
    assert fresh.phase == "addressing_feedback"
    assert "write a test" in team.told(fresh.name)

    team.call(fresh.name, "report_implementation_complete", summary="mended", exit_code=0)
    fresh = team.replace(fresh.name)
    assert fresh.phase == "awaiting_review"
    assert "Your task" not in team.told(fresh.name)
    team.ask(of=fresh.name)
    team.decide("APPROVED")
    team.release(of=fresh.name)
    fresh = team.replace(fresh.name)
    assert fresh.phase == "committing"
    assert "Commit your work now" in team.told(fresh.name)


def test_after_too_many_denials_the_person_decides(team: ReviewWorld) -> None:
    reject(team)
    team.feedback()
    team.call("worker-1", "report_implementation_complete", summary="mended", exit_code=0)
    team.ask()
    team.decide("DENIED", comments="still no test")

    assert team.task().status == "waiting_for_user"
    assert "denied in 2 reviews" in str(team.task().question)
    assert "the user is asked" in team.told("coordinator")
    with refused("the user is asked"):
        team.feedback()
    with refused("the user is asked"):
        team.release()
    team.write(lambda tx: answers.approve(tx, ID, "a", "good enough"))
    assert team.state() == ("approved", {"worker-1": "awaiting_review"})
    assert "the user approved task a as it is; call approve_commit" in team.told("coordinator")
    with pytest.raises(WrongStateError):
        team.write(lambda tx: answers.approve(tx, ID, "a", None))
    team.release()


def test_a_person_who_denies_too_ends_the_task(team: ReviewWorld) -> None:
    reject(team)
    team.feedback()
    team.call("worker-1", "report_implementation_complete", summary="mended", exit_code=0)
    team.ask()
    team.decide("DENIED")
    team.write(lambda tx: answers.deny(tx, ID, "a", "forget it"))

    assert team.state() == ("failed", {})
    assert {agent.phase for agent in team.agents()} == {"idle"}
    with refused("the user denied it"):
        team.lead("reopen_task", task_id="a", reason="I know better")


def test_who_is_blocked_is_heard_and_owes_no_report(team: ReviewWorld) -> None:
    team.create()
    team.lead("assign_task", task_id="a", worker_id="worker-1")
    team.told("worker-1")
    assert reminders.owes_report(team.reader, team.agent("worker-1"))

    team.call("worker-1", "report_blocked", reason="the database password is missing")

    assert not reminders.owes_report(team.reader, team.agent("worker-1"))
    assert "the database password is missing" in team.told("coordinator")
    assert team.state() == ("in_progress", {"worker-1": "implementing"})
    team.lead("assign_task", task_id="a", worker_id="worker-1", summary="it is hunter2")
    assert team.agent("worker-1").blocked is None
    assert "it is hunter2" in team.told("worker-1")
    assert reminders.owes_report(team.reader, team.agent("worker-1"))


def test_a_blocked_reviewer_is_asked_again_or_another_is(team: ReviewWorld) -> None:
    team.implemented()
    team.ask()
    team.call("worker-2", "report_blocked", reason="I cannot run the tests")
    team.ask(summary="use make test")
    assert "use make test" in team.told("worker-2")
    team.call("worker-2", "report_blocked", reason="still not")
    team.ask(by="worker-3")
    assert team.state()[1] == {"worker-1": "awaiting_review", "worker-3": "reviewing"}


def test_who_has_nothing_in_hand_is_not_blocked(team: ReviewWorld) -> None:
    with refused("nothing is asked of you now"):
        team.call("worker-1", "report_blocked", reason="bored")
    team.implemented()
    with refused("nothing is asked of you now"):
        team.call("worker-1", "report_blocked", reason="bored")


def test_a_reviewer_owes_a_verdict_and_a_committer_a_report(team: ReviewWorld) -> None:
    def owes(name: str) -> bool:
        team.told(name)
        return reminders.owes_report(team.reader, team.agent(name))

    team.implemented()
    team.ask()
    assert (owes("worker-1"), owes("worker-2")) == (False, True)
    team.decide("APPROVED")
    assert (owes("worker-1"), owes("worker-2")) == (False, False)
    team.release()
    assert owes("worker-1")
    for number in range(1, 3):
        team.write(lambda tx: reminders.look_at_worker(tx, team.context, tx.need(Agent, 2), "hm"))
        assert "without a report on the commit of task a" in team.told("worker-1"), number
    team.call("worker-1", "report_implementation_complete", summary="committed", exit_code=0)
    assert not owes("worker-1")


@pytest.mark.parametrize("name", ["deadbeef", "main", "--all", "HEAD~1; ls", "x" * 70])
def test_a_commit_that_is_not_there_is_refused(team: ReviewWorld, name: str) -> None:
    team.repository()
    approve(team)
    team.release()

    with refused(f"cannot report commit {name!r}: it is not in the repository"):
        team.call("worker-1", "report_implementation_complete", summary="x", commits=[name])


def test_a_commit_of_before_the_task_is_refused(team: ReviewWorld) -> None:
    team.repository()
    approve(team)
    team.release()
    old = team.git("rev-parse", "HEAD")

    with refused("it was there before your task began"):
        team.call("worker-1", "report_implementation_complete", summary="x", commits=[old])


def test_a_commit_without_a_repository_is_refused(team: ReviewWorld) -> None:
    approve(team)
    team.release()

    with refused("your folder was in no git repository"):
        team.call("worker-1", "report_implementation_complete", summary="x", commits=["abcd"])


@pytest.mark.parametrize(
    ("name", "tool", "args"),
    [
        ("worker-1", "report_implementation_complete", {"summary": "x" * 2**20}),
        ("worker-2", "report_review_verdict", {"verdict": "DENIED", "comments": "x" * 2**20}),
        ("worker-1", "report_blocked", {"reason": "x" * 2**20}),
    ],
)
def test_a_text_of_a_megabyte_is_refused_in_words(
    team: ReviewWorld, name: str, tool: str, args: dict[str, str]
) -> None:
    with refused(f"cannot call {tool}: Expected `str` of length <= 100000"):
        team.call(name, tool, **args)


def test_a_verdict_is_one_of_two(team: ReviewWorld) -> None:
    with refused("cannot call report_review_verdict"):
        team.call("worker-2", "report_review_verdict", verdict="MAYBE", comments="x")


def test_a_commit_that_another_worker_named_is_not_this_tasks(team: ReviewWorld) -> None:
    team.repository()
    for key, worker in (("a", "worker-1"), ("b", "worker-2")):
        team.create(key)
        team.lead("assign_task", task_id=key, worker_id=worker)
    one, two = team.commit("one", "one"), team.commit("two", "two")
    report: dict[str, Any] = {"summary": "done", "exit_code": 0}
    team.call("worker-1", "report_implementation_complete", **report, commits=[one])
    team.call("worker-2", "report_implementation_complete", **report, commits=[two[:8]])
    for key in ("a", "b"):
        team.lead("mark_task_complete", task_id=key)

    found = {event["key"]: event["commits"] for event in team.events("task.receipt")}
    assert found == {"a": [one], "b": [two]}


def test_a_commit_that_was_amended_away_does_not_keep_a_task_open(team: ReviewWorld) -> None:
    team.repository()
    approve(team)
    team.release()
    old = team.commit("Do a", "new")
    report: dict[str, Any] = {"summary": "done", "exit_code": 0, "commits": [old]}
    team.call("worker-1", "report_implementation_complete", **report)
    team.git("commit", "-q", "--amend", "-m", "Do a, well")
    team.git("reflog", "expire", "--expire=now", "--all")
    team.git("gc", "-q", "--prune=now")
    team.lead("mark_task_complete", task_id="a")

    assert team.task().status == "done"
    last = team.events("task.receipt")[-1]
    assert last["commits"] == [team.git("rev-parse", "HEAD")]
