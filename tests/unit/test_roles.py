"""Who leads a workflow and who works for it: as asked, else as configured, else what is here."""

import os
from pathlib import Path
from typing import Any

import pytest

from perles.config.provider_settings import Providers
from perles.domain.errors import UsageError
from perles.domain.execution import Execution
from perles.domain.specs import Plan, TaskSpec, WorkflowSpec
from perles.workflows.roles import MAX_GOAL, Staff, choose, goal_plan, with_roles

PROMPT = TaskSpec(key="a", name="a", body="do it")
COMMAND = TaskSpec(key="a", name="a", run="true")


def _plan(*tasks: TaskSpec, **values: Any) -> Plan:
    return Plan(**{"template_id": "t", "name": "t", "tasks": tasks, **values})


def _choose(plan: Plan, providers: Providers | None = None, **spec: Any) -> Staff:
    known = providers or Providers()
    return choose(WorkflowSpec(template_id="t", **spec), plan, known, os.environ, here=False)


def test_commands_are_led_and_done_by_builtin_agents() -> None:
    assert _choose(_plan(COMMAND))[:4] == ("builtin", None, "builtin", None)


def test_who_chose_only_a_coordinator_means_the_workers_too() -> None:
    staff = _choose(_plan(PROMPT), coordinator="codex:large")

    assert staff[:4] == ("codex", "large", "codex", "large")


def test_a_configured_worker_stays_where_only_a_coordinator_is_chosen() -> None:
    staff = _choose(_plan(PROMPT), Providers(clients={"worker": "amp"}), coordinator="codex")

    assert staff[:4] == ("codex", None, "amp", None)


def test_a_worker_that_is_asked_for_comes_before_the_configured_one() -> None:
    staff = _choose(_plan(PROMPT), Providers(client="amp"), worker="claude:opus")

    assert (staff.coordinator, staff.worker, staff.worker_model) == ("builtin", "claude", "opus")


def test_a_plan_of_agents_has_the_configured_coordinator() -> None:
    staff = _choose(_plan(PROMPT, provider=""), Providers(client="gemini"))

    assert (staff.coordinator, staff.worker) == ("gemini", "gemini")


def test_without_configuration_the_cli_that_is_here_is_taken(tmp_path: Path) -> None:
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    spec, plan = WorkflowSpec(template_id="t"), _plan(PROMPT, provider="")

    staff = choose(spec, plan, Providers(), {"PATH": str(tmp_path)}, here=False)

    assert staff.coordinator == "codex"


def test_a_provider_whose_program_is_missing_is_refused_here(tmp_path: Path) -> None:
    spec, plan = WorkflowSpec(template_id="t", worker="codex"), _plan(PROMPT)

    with pytest.raises(UsageError, match="codex"):
        choose(spec, plan, Providers(), {"PATH": str(tmp_path)})


def test_a_goal_in_words_is_refused_to_the_builtin_coordinator() -> None:
    with pytest.raises(UsageError, match="only walks through tasks"):
        _choose(goal_plan("tidy up"), coordinator="builtin")


def test_a_prompt_is_refused_to_a_builtin_worker() -> None:
    with pytest.raises(UsageError, match="cannot give task a to a builtin worker"):
        _choose(_plan(PROMPT), worker="builtin")


def test_builtin_agents_get_no_role() -> None:
    with pytest.raises(UsageError, match="only run commands"):
        _choose(_plan(PROMPT, provider="", roles={"reviewer": "builtin"}), coordinator="codex")


def test_configured_types_of_workers_count_where_agents_lead() -> None:
    providers = Providers(client="amp", clients={"reviewer": "claude:opus"})

    assert _choose(_plan(PROMPT, provider=""), providers).roles == {"reviewer": "claude:opus"}
    assert _choose(_plan(PROMPT), providers).roles == {}


@pytest.mark.parametrize(
    ("providers", "spec", "observer"),
    [
        (Providers(), {"coordinator": "codex:large"}, "codex:large"),
        (Providers(), {"coordinator": "builtin", "worker": "amp"}, "amp"),
        (Providers(clients={"observer": "gemini"}), {"coordinator": "codex"}, "gemini"),
    ],
)
def test_an_observer_is_as_the_coordinator_unless_it_is_configured(
    providers: Providers, spec: dict[str, str], observer: str
) -> None:
    wanted = WorkflowSpec(template_id="t", **spec)  # type: ignore[arg-type]

    staff = choose(wanted, _plan(PROMPT), providers, os.environ, here=False, observer=True)

    assert staff.roles["observer"] == observer


def test_commands_alone_are_not_observed() -> None:
    spec = WorkflowSpec(template_id="t")

    staff = choose(spec, _plan(COMMAND), Providers(), os.environ, here=False, observer=True)

    assert staff.roles == {}


def test_tasks_that_name_a_role_go_to_whom_the_plan_says_else_the_configuration() -> None:
    asks = TaskSpec(key="a", name="a", body="x", execution=Execution(role="r"))
    plan = _plan(asks, PROMPT)

    (configured, other) = with_roles(plan, Providers(clients={"r": "amp"})).tasks
    (planned,) = with_roles(_plan(asks, roles={"r": "codex"}), Providers()).tasks

    assert (configured.worker, other.worker, planned.worker) == ("amp", None, "codex")


def test_a_goal_names_its_workflow_by_its_first_line() -> None:
    plan = goal_plan("\n  Fix \x1b the \x00build\nand more  ")

    assert (plan.name, plan.goal) == ("Fix  the build", "Fix \x1b the \x00build\nand more")
    assert goal_plan("a" * 80).name == "a" * 59 + "…"
    assert goal_plan("\x00\x01").name == "goal"


@pytest.mark.parametrize("goal", ["", " \n ", "x" * (MAX_GOAL + 1)])
def test_a_goal_of_no_use_is_refused(goal: str) -> None:
    with pytest.raises(UsageError, match="cannot use this goal"):
        goal_plan(goal)
