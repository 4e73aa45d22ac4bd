"""Who does a workflow: the providers of its roles, chosen and checked before it is stored."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from perles.agents import sandbox
from perles.agents.discovery import default_client
from perles.agents.provider import Provider, find
from perles.config.model import Price
from perles.config.provider_settings import Providers
from perles.domain.errors import UsageError
from perles.domain.provider_choice import AGENT_TYPES, BUILTIN, label, layers, split_choice
from perles.domain.specs import Plan, WorkflowSpec

GOAL: Final = "goal"
"""What stands in place of a template where there is only a goal."""
MAX_GOAL: Final = 100_000
GOAL_WORKERS: Final = 4
_NAME_LETTERS: Final = 60


class Asked(Protocol):
    """A task, as far as it says who does it: one of a plan, or of a workflow that is there."""

    @property
    def key(self) -> str: ...
    @property
    def run(self) -> str | None: ...
    @property
    def assignee(self) -> str | None: ...
    @property
    def worker(self) -> str | None: ...


class Staff(NamedTuple):
    """The provider of each role, with its model where one is named."""

    coordinator: str
    coordinator_model: str | None
    worker: str
    worker_model: str | None
    roles: Mapping[str, str] = {}
    """By role or type of worker, as `claude:opus`, where it is said."""


def choose(
    spec: WorkflowSpec,
    plan: Plan,
    providers: Providers,
    environ: Mapping[str, str],
    *,
    here: bool = True,
    observer: bool = False,
) -> Staff:
    """Who leads and who works: as asked, else as configured. Raises `UsageError`.

    With `here` also where one of them cannot be started on this machine. `observer` wants one
    where AI agents work.
    """
    coordinator, coordinator_model = _coordinator(spec, plan, providers, environ)
    if coordinator == BUILTIN and plan.goal and not plan.tasks:
        raise UsageError(
            "cannot work towards a goal in words with the builtin coordinator: it only walks "
            "through tasks; choose another one, --coordinator claude"
        )
    prompts = [task for task in plan.tasks if task.run is None and task.assignee != "human"]
    if spec.worker is not None:
        worker, worker_model = split_choice(spec.worker)
    elif coordinator == BUILTIN and not prompts:
        worker, worker_model = BUILTIN, None
    else:
        worker, worker_model = _worker(spec, coordinator, coordinator_model, providers, environ)
    leader = label(coordinator, coordinator_model)
    roles = _roles(plan, providers, environ, leader, worker, observer)
    staff = Staff(coordinator, coordinator_model, worker, worker_model, roles)
    for name, role, _model in _used(staff, plan.tasks):
        own = providers.of(name, role)
        found = None if (own.type or name) == BUILTIN else find(name, own)  # it needs nothing
        if here:
            if found is not None:
                found.check(environ)
            sandbox.check(providers.sandbox_of(layers(role)[0]), environ)
    return staff


def check_money(
    staff: Staff,
    tasks: Iterable[Asked],
    provider_of: Callable[[str, str], Provider],
    prices: Mapping[str, Price],
) -> None:
    """Raise `UsageError` where the cost of an agent would not be known, for a budget in USD.

    `provider_of` finds a provider by its name, as set up for a role.
    """
    from perles.agents.pricing import blind_spot  # most workflows have no such budget

    for name, role, model in _used(staff, tasks):
        why = blind_spot(provider_of(name, role), model, prices)
        if why is not None:
            raise UsageError(f"cannot keep a cost budget: {why}")


def with_roles(plan: Plan, providers: Providers) -> Plan:
    """The plan with who does the tasks that name a role, where the plan or the configuration says
    who has it."""
    seats = {**providers.clients, **plan.roles}
    tasks = [
        replace(task, worker=seats[task.execution.role])
        if task.worker is None and task.execution.role in seats
        else task
        for task in plan.tasks
    ]
    return replace(plan, tasks=tuple(tasks))


def _roles(
    plan: Plan,
    providers: Providers,
    environ: Mapping[str, str],
    coordinator: str,
    worker: str,
    observer: bool,
) -> dict[str, str]:
    """Who is what: as the template says, else as configured; only where AI agents take part."""
    found = dict(plan.roles)
    if coordinator != BUILTIN:
        named = {seat: providers.clients[seat] for seat in AGENT_TYPES if seat in providers.clients}
        found = {**named, **found}
    if observer and "observer" not in found and not coordinator == worker == BUILTIN:
        leader = coordinator if coordinator != BUILTIN else worker
        chosen = providers.names("observer")
        found["observer"] = default_client(providers, "observer", environ) if chosen else leader
    if BUILTIN in (split_choice(one)[0] for one in found.values()):
        raise UsageError("cannot give a role to builtin agents: they only run commands")
    return found


def _coordinator(
    spec: WorkflowSpec, plan: Plan, providers: Providers, environ: Mapping[str, str]
) -> tuple[str, str | None]:
    if spec.coordinator is not None:
        return split_choice(spec.coordinator)
    if plan.provider == BUILTIN:
        return BUILTIN, None
    return default_client(providers, "coordinator", environ), None


def _worker(
    spec: WorkflowSpec,
    coordinator: str,
    model: str | None,
    providers: Providers,
    environ: Mapping[str, str],
) -> tuple[str, str | None]:
    """As configured; who chose only a coordinator, and configured nothing, means that one."""
    chosen = spec.coordinator is not None and coordinator != BUILTIN
    if chosen and not providers.names("worker"):
        return coordinator, model
    return default_client(providers, "worker", environ), None


def _used(staff: Staff, tasks: Iterable[Asked]) -> Iterator[tuple[str, str, str | None]]:
    """Every provider that a workflow can come to use, once, with its role and its model."""
    worker = (staff.worker, staff.worker_model)
    used = {(staff.coordinator, "coordinator", staff.coordinator_model): None}
    if staff.coordinator != BUILTIN:
        used[staff.worker, "worker", staff.worker_model] = None
    for seat, choice in staff.roles.items():
        name, model = split_choice(choice)
        used[name, seat, model] = None
    for task in tasks:
        if task.run is None and task.assignee != "human":
            name, model = split_choice(task.worker) if task.worker else worker
            if name == BUILTIN:
                raise UsageError(
                    f"cannot give task {task.key} to a builtin worker: it has a prompt, and those "
                    "only run commands; choose another one, --worker claude"
                )
            used[name, "worker", model] = None
    yield from used


def goal_plan(goal: str) -> Plan:
    """The plan of a goal in words: the coordinator makes the tasks. Raises `UsageError`."""
    text = goal.strip()
    if not text or len(text) > MAX_GOAL:
        raise UsageError(f"cannot use this goal: it must have 1 to {MAX_GOAL} characters")
    first = text.splitlines()[0]
    plain = "".join(c for c in first if unicodedata.category(c)[0] != "C").strip() or GOAL
    name = plain if len(plain) <= _NAME_LETTERS else f"{plain[: _NAME_LETTERS - 1]}…"
    return Plan(template_id=GOAL, name=name, tasks=(), workers=GOAL_WORKERS, provider="", goal=text)
