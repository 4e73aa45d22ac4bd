"""Why a workflow failed: budget, recoveries, a coordinator that crashed, tasks."""

from collections.abc import Iterator
from pathlib import Path

from perles.doctor.finding import PROBLEM, Finding
from perles.doctor.workflow.case import Case
from perles.domain.money import in_words
from perles.domain.secrecy import longest_first, masked
from perles.executor.local.output import tail_of
from perles.store.reads import diagnosis
from perles.store.reads.turns import secrets_of

LINES = 10


def check(case: Case) -> Iterator[Finding]:
    """Each reason there is, with what is left to read."""
    if case.state != "failed":
        return
    again = f"perles retry {case.id} --with-engine continues it"
    if "budget exhausted" in case.reason:
        yield _budget(case)
        return
    yield Finding("failed", PROBLEM, case.reason or "nobody said why", again)
    yield from _recoveries(case)
    if "coordinator failed" in case.reason:
        yield from _coordinator(case)
    for task in case.shown["tasks"]:
        if task["status"] == "failed":
            text = f"task {task['key']}: {task['failure'] or 'failed'}"
            lines = tuple(task["output_tail"][-LINES:])
            yield Finding("failed task", PROBLEM, text, f"perles logs {case.id}", lines)


def _budget(case: Case) -> Finding:
    shown = case.shown
    cost = in_words(shown["cost_usd"], shown["tokens_used"], shown["agents"])
    used = f"{shown['tokens_used']} tokens were used: {cost}"
    advice = (
        f"perles retry {case.id}, then with the new id: "
        "perles set ID --token-budget N --cost-budget USD, perles start ID"
    )
    if "global" in case.reason:
        advice = (
            "raise resource_policy.token_budget or cost_budget, perles config reload, then "
            f"perles retry {case.id} --with-engine"
        )
    return Finding("budget", PROBLEM, f"{case.reason}: {used}", advice)


def _recoveries(case: Case) -> Iterator[Finding]:
    found = diagnosis.recoveries(case.connection, case.id)
    if not any(type == "recovery.exhausted" for type, _ in found):
        return
    tried = [str(payload["action"]) for type, payload in found if type == "recovery.attempted"]
    text = f"it was stuck, and {len(tried)} recoveries did not help: {', '.join(tried)}"
    advice = "health_policy.max_recoveries and on_exhausted say how often, and what then"
    yield Finding("recoveries", PROBLEM, text, advice)


def _coordinator(case: Case) -> Iterator[Finding]:
    last = diagnosis.coordinator_error(case.connection, case.id)
    if last is None:
        return
    code = "" if last.exit_code is None else f", exit code {last.exit_code}"
    files = (last.stderr, last.stdout)
    lines = next(filter(None, (tail_of(Path(file), lines=LINES) for file in files)), [])
    lines = masked(lines, longest_first(secrets_of(case.connection, case.id)))
    text = f"the coordinator's turn {last.number} ended with: {last.error}{code}"
    advice = f"perles logs {case.id} --agent coordinator --stderr"
    yield Finding("coordinator", PROBLEM, text, advice, tuple(lines))
