"""Why a workflow does not start or go on: which limit, who holds it, its place in line."""

from collections.abc import Iterator
from typing import Any

from perles.doctor.finding import NOTE, PROBLEM, Finding, named
from perles.doctor.workflow.case import Case
from perles.store.reads import resources


def check(case: Case) -> Iterator[Finding]:
    """What keeps a workflow in line from starting or going on."""
    waits = case.shown["start_requested_at"] is not None
    if case.state not in ("pending", "paused") or (case.state == "paused" and not waits):
        return
    if not waits:
        yield Finding("pending", NOTE, "nobody started it yet", f"perles start {case.id}")
        return
    if not case.engine_runs:
        text = "it waits to start, but no engine runs"
        yield Finding("pending", PROBLEM, text, "perles serve --detach")
        return
    by_name = {row["resource"]: row for row in resources.resources(case.connection)}
    place = f"place {case.shown['queue_place']} in line"
    if "budget exhausted" in case.reason:
        text = f"{case.reason.removeprefix('waiting: ')}; {place}"
        yield Finding(case.state, PROBLEM, text, "then perles config reload")
        return
    if "port" in case.reason:
        yield _ports(case, by_name["ports"], place)
        return
    if "workers live" in case.reason:
        yield workers(by_name["workers"], case.state, place)
        return
    row = by_name["workflows"]
    if row["limit"] is not None and row["used"] >= row["limit"]:
        yield _slots(case, row, place)
        return
    ahead = [waiter["name"] for waiter in row["queue"] if waiter["workflow_id"] != case.id]
    before = f"; before or behind it wait {named(ahead)}" if ahead else ""
    yield Finding(case.state, NOTE, f"{place}; a slot is free, it is about to start{before}")


def _slots(case: Case, row: dict[str, Any], place: str) -> Finding:
    names = [_name(holder) for holder in row["holders"]]
    text = f"{row['used']} of {row['limit']} workflows run: {named(names)}; {place}"
    advice = (
        "wait, stop one of them, raise resource_policy.max_workflows_running (perles config "
        f"reload), or let it pass: perles set {case.id} --priority high"
    )
    return Finding(case.state, NOTE, text, advice)


def workers(row: dict[str, Any], check: str, place: str = "") -> Finding:
    """Who holds the worker slots."""
    count: dict[str, int] = {}
    for holder in row["holders"]:
        count[_name(holder)] = count.get(_name(holder), 0) + 1
    names = [f"{number} of {name}" for name, number in count.items()]
    text = f"{row['used']} of {row['limit']} workers live: {named(names)}"
    advice = (
        "wait, pause or stop one of them (what is paused holds none), or raise "
        "resource_policy.max_workers (perles config reload)"
    )
    return Finding(check, NOTE, f"{text}; {place}" if place else text, advice)


def _ports(case: Case, row: dict[str, Any], place: str) -> Finding:
    policy = case.config.resource_policy
    names = [f"{holder['value']} {_name(holder)}" for holder in row["holders"]]
    text = f"no port is free in {policy.port_range_start}-{policy.port_range_end}; {place}"
    if names:
        text += f"; of workflows: {named(names)}"
    advice = (
        "perles doctor tells which other processes hold ports; a wider range: "
        "resource_policy.port_range_end, then perles config reload"
    )
    return Finding(case.state, PROBLEM, text, advice)


def _name(holder: dict[str, Any]) -> str:
    note = "" if holder["state"] == "running" else f", {holder['state']}"
    return f"{holder['name']} ({holder['workflow_id']}{note})"
