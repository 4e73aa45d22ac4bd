"""The review cycle: who looks at whose work, and what becomes of it.

A task that was reported on is reviewed by another worker than its own. Its verdict makes the
task approved, or denied; a denial is worked on and reviewed again, until a person is asked.
Every step is an edge of two machines: the task's, and the phase of the worker that has it.
"""

from perles.agents.review_prompts import ReviewBrief
from perles.agents.review_prompts import commit as commit_words
from perles.agents.review_prompts import feedback as feedback_words
from perles.agents.review_prompts import review as review_words
from perles.domain.states import PHASE, TASK
from perles.fabric import messages, posts
from perles.fabric.posts import Author
from perles.store.events import journal
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import comments, questions


def begin(tx: Tx, task: Task, reviewer: Agent, *, by: Agent, note: str, review_type: str) -> None:
    """Have `reviewer`, who is free, look at the task. One in review is looked at anew."""
    changes = {"reviewer_id": reviewer.id, "review_type": review_type}
    payload = {
        "key": task.key,
        "reviewer": reviewer.name,
        "implementer": task.assignee,
        "review": task.denials + 1,
        "type": review_type,
    }
    if task.status == "in_review":
        tx.update(Task, task.id, **changes)
        payload["anew"] = True
        journal.append(tx, "task.in_review", payload, workflow_id=task.workflow_id, task_id=task.id)
    else:
        fire(tx, TASK, task.id, "review", changes=changes, payload=payload)
    tx.update(Agent, reviewer.id, task_id=task.id, silences=0)
    fire(tx, PHASE, reviewer.id, "review")
    task = tx.need(Task, task.id)
    comments.add(tx, task, by.name, "review", note)
    body = review_letter(tx, task)
    messages.post(tx, reviewer, sender=by.name, kind="coordinator", body=body, task_id=task.id)
    text = f"{reviewer.name} reviews it ({review_type}):\n{note}"
    posts.in_task_thread(tx, task, Author.of(by), text, "request")


def review_letter(reader: Reader, task: Task) -> str:
    """What the reviewer of the task is told."""
    reports = comments.of_kind(reader, task, "report")
    asked = comments.of_kind(reader, task, "review")
    denials = comments.of_kind(reader, task, "denied")
    said = journal.decode(task.outputs).get("summary", "")
    return review_words(
        ReviewBrief(
            key=task.key,
            title=task.title,
            body=task.body,
            implementer=task.assignee or "a worker",
            report=reports[-1].body if reports else str(said),
            note=asked[-1].body if asked else "",
            review_type=task.review_type or "complex",
            number=task.denials + 1,
            denials=[denial.body for denial in denials],
            base=task.base_commit,
        )
    )


def decide(tx: Tx, task: Task, reviewer: Agent, *, verdict: str, text: str, limit: int) -> None:
    """The reviewer has decided: the coordinator hears of it; after `limit` denials a person, too.

    The reviewer is free; the implementer keeps the task and waits.
    """
    denied = verdict == "DENIED"
    comments.add(tx, task, reviewer.name, "denied" if denied else "approved", text)
    denials = task.denials + denied
    changes = {"verdict": verdict.lower(), "denials": denials}
    payload = {"key": task.key, "reviewer": reviewer.name, "review": task.denials + 1, "text": text}
    fire(tx, TASK, task.id, "deny" if denied else "approve", changes=changes, payload=payload)
    fire(tx, PHASE, reviewer.id, "verdict")
    tx.update(Agent, reviewer.id, task_id=None, silences=0, blocked=None)
    way_on = "call approve_commit, or mark_task_complete where nothing is to be committed"
    if denied and denials >= limit:
        _ask_person(tx, tx.need(Task, task.id), reviewer, text)
        way_on = f"this was denial {denials}: the user is asked what to do; go on with the rest"
    elif denied:
        way_on = "call assign_review_feedback"
    body = f"{reviewer.name} reviewed task {task.key} of {task.assignee}: {verdict}; {way_on}.\n"
    messages.tell_coordinator(
        tx, task.workflow_id, sender=reviewer.name, kind="worker", body=body + text
    )
    posts.in_task_thread(tx, task, Author.of(reviewer), f"{verdict}: {text}", "response")


def _ask_person(tx: Tx, task: Task, reviewer: Agent, text: str) -> None:
    """Let a person decide on a task that reviews alone do not bring to an end."""
    question = (
        f"{task.key} was denied in {task.denials} reviews, the last by {reviewer.name}. Approve: "
        f"it is taken as it is and can be committed. Deny: the task fails. The last comment: {text}"
    )
    payload = {"key": task.key, "question": question}
    fire(tx, TASK, task.id, "ask", changes={"question": question}, payload=payload)
    questions.note_waiting(tx, task.workflow_id)


def rework(tx: Tx, task: Task, implementer: Agent, *, by: Agent, text: str) -> None:
    """Give a denied task back to its implementer, with what to change."""
    outputs = {**journal.decode(task.outputs), "reported_attempt": None}
    payload = {
        "key": task.key,
        "worker": implementer.name,
        "attempt": task.attempt,
        "review": task.denials,
    }
    fire(
        tx,
        TASK,
        task.id,
        "rework",
        changes={"outputs": journal.encode(outputs), "exit_code": None},
        payload=payload,
    )
    fire(tx, PHASE, implementer.id, "deny")
    tx.update(Agent, implementer.id, silences=0)
    comments.add(tx, task, by.name, "feedback", text)
    posts.in_task_thread(tx, task, Author.of(by), f"to change:\n{text}", "request")
    body = feedback_letter(tx, tx.need(Task, task.id))
    messages.post(tx, implementer, sender=by.name, kind="coordinator", body=body, task_id=task.id)


def feedback_letter(reader: Reader, task: Task) -> str:
    """What the implementer of a denied task is told."""
    denials = comments.of_kind(reader, task, "denied")
    said = comments.of_kind(reader, task, "feedback")
    return feedback_words(
        task.key,
        denials[-1].author if denials else "its reviewer",
        denials[-1].body if denials else "",
        said[-1].body if said else "",
    )


def release(
    tx: Tx, task: Task, implementer: Agent, *, by: Agent, message: str, in_repository: bool
) -> None:
    """Have the implementer of an approved task commit it; once more where that went wrong."""
    outputs = {**journal.decode(task.outputs), "reported_attempt": None}
    changes = {"outputs": journal.encode(outputs), "exit_code": None}
    if task.status == "approved":
        payload = {"key": task.key, "worker": implementer.name, "message": message}
        fire(tx, TASK, task.id, "commit", changes=changes, payload=payload)
        fire(tx, PHASE, implementer.id, "approve")
    else:
        tx.update(Task, task.id, **changes)
    tx.update(Agent, implementer.id, silences=0)
    comments.add(tx, task, by.name, "approval", message)
    posts.in_task_thread(tx, task, Author.of(by), f"to commit: {message}".rstrip(": "), "request")
    body = commit_letter(tx, task, in_repository=in_repository)
    messages.post(tx, implementer, sender=by.name, kind="coordinator", body=body, task_id=task.id)


def commit_letter(reader: Reader, task: Task, *, in_repository: bool) -> str:
    """What the implementer of an approved task is told."""
    said = comments.of_kind(reader, task, "approval")
    message = said[-1].body if said else ""
    return commit_words(task.key, message, in_repository=in_repository)


def letter_for(reader: Reader, agent: Agent, task: Task) -> str | None:
    """What the worker was told last in the cycle; None where that is its brief, or nothing."""
    if agent.phase == "reviewing":
        return review_letter(reader, task)
    if agent.phase == "addressing_feedback":
        return feedback_letter(reader, task)
    if agent.phase == "committing":
        return commit_letter(reader, task, in_repository=task.base_commit is not None)
    return None
