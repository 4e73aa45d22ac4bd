"""What a running or paused workflow does or waits for, and whether it is stuck."""

from collections.abc import Iterator
from typing import Final

from perles.doctor.finding import NOTE, OK, PROBLEM, Finding
from perles.doctor.workflow.case import Case
from perles.doctor.workflow.pending import workers
from perles.domain.explanations import first_line, moment
from perles.store.reads import diagnosis, questions, resources

WAY_ON: Final = "raise token_budget or cost_budget below resource_policy, then perles config reload"


def check(case: Case) -> Iterator[Finding]:
    """Stuck, waiting for a person, or at work."""
    if case.state == "paused" and case.shown["start_requested_at"] is None:
        advice = f"perles resume {case.id}"
        yield Finding("paused", NOTE, f"it is paused: {case.reason or 'on request'}", advice)
    if case.state != "running":
        return
    if not case.engine_runs:
        text = "it is running, but no engine does"
        yield Finding("running", PROBLEM, text, "perles serve --detach")
    yield from _health(case)
    yield from _workers(case)
    yield from _questions(case)
    yield from _asked(case)
    asked = any(text.startswith("waiting for you") for text in case.shown["waits_for"])
    rest = case.shown["waits_for"][1 if asked else 0 :]
    for text in rest:
        waits = text.startswith(("waiting", "rate limited", "offline"))
        advice = WAY_ON if "budget exhausted" in text else ""
        kind = PROBLEM if advice else NOTE if waits else OK
        yield Finding("now", kind, text, advice)
    if any(text.startswith("waiting for a worker slot") for text in rest):
        by_name = {row["resource"]: row for row in resources.resources(case.connection)}
        yield workers(by_name["workers"], "now")
    if not case.shown["waits_for"]:
        text = "nobody works, and no message waits for an agent"
        yield Finding("now", NOTE, text, f"tell the coordinator: perles send {case.id} TEXT")


def _health(case: Case) -> Iterator[Finding]:
    policy = case.config.health_policy
    beat, progress = diagnosis.last_signs(case.connection, case.id)
    if case.shown["health"] == "stuck":
        yield Finding(
            "health",
            PROBLEM,
            f"stuck: no progress since {moment(progress)} (progress_timeout "
            f"{policy.progress_timeout:g}s)",
            f"look: perles logs {case.id} --follow; tell it: perles send {case.id} TEXT; end it: "
            f"perles stop {case.id}; if it is only slow, raise health_policy.progress_timeout",
        )
    elif case.shown["health"] == "degraded":
        text = f"degraded: no sign of its agents since {moment(beat)}"
        yield Finding("health", NOTE, text, f"look: perles logs {case.id} --follow")


def _workers(case: Case) -> Iterator[Finding]:
    """Workers that hang alone, in a turn that still runs."""
    for name, told in diagnosis.stuck_workers(case.connection, case.id):
        text = f"{name} gives no sign, told at {moment(told)}"
        advice = f"look: perles logs {case.id} --agent {name} --follow"
        yield Finding("health", PROBLEM, text, advice)


def _questions(case: Case) -> Iterator[Finding]:
    for task in case.shown["tasks"]:
        if task["status"] == "waiting_for_user":
            text = f"waiting for you since {moment(task['started_at'])}: {_question(case, task)}"
            advice = (
                f"perles approve {case.id} {task['key']}, "
                f"or perles deny {case.id} {task['key']} -m WHY"
            )
            yield Finding("now", NOTE, text, advice)


def _asked(case: Case) -> Iterator[Finding]:
    for found in questions.questions(case.connection, case.id):
        text = (
            f"waiting for you since {moment(found['asked_at'])}: {found['asked_by']} asks: "
            f"{first_line(found['text'])}"
        )
        yield Finding("now", NOTE, text, f"perles answer {case.id} {found['question']} TEXT")


def _question(case: Case, task: dict[str, str]) -> str:
    body = diagnosis.body_of(case.connection, case.id, task["key"])
    return str((body or task["name"]).strip().splitlines()[0])
