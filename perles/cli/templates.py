"""`perles templates`: what a workflow can be an instance of."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from perles.cli import template_tools
from perles.cli.options import Json
from perles.cli.output import print_json, print_table, say, warn
from perles.cli.template_plans import target
from perles.config.load import load
from perles.config.provider_settings import Providers
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.specs import Plan, TaskSpec, WorkflowSpec
from perles.templates.shell_pipes import outputs_run
from perles.templates.template import Template
from perles.workflows.create import check_files
from perles.workflows.roles import choose

app = typer.Typer(
    help="List, show, check, draw and create templates of workflows; print their schema.",
    no_args_is_help=True,
)
template_tools.add_to(app)


@app.command("list")
def list_(json: Json = False) -> None:
    """List all templates: built-in ones, yours, and the repository's."""
    found = ControlPlane().templates(Path.cwd()).list()
    if json:
        print_json([_shown(template) for template in found])
        return
    rows = [[t.key, t.source, t.name, t.error or t.description] for t in found]
    print_table(("KEY", "FROM", "NAME", "DESCRIPTION"), rows)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="The template's key.")], json: Json = False
) -> None:
    """Show a template: its purpose, cost, arguments and tasks."""
    template = ControlPlane().templates(Path.cwd()).get(key)
    if json:
        print_json(_shown(template))
        return
    for line in _told(template):
        say(line)


def _told(template: Template) -> Iterator[str]:
    """A template in words."""
    yield f"{template.key} {template.version}: {template.name} ({template.source}, {template.path})"
    yield from [template.description] if template.description else []
    if template.cost:
        yield f"Cost: {template.cost}"
    if template.worktree is not None:
        yield "It works in a git worktree, on a separate branch (--no-worktree: here)."
    if template.example:
        yield f"Example: {template.example}"
    yield from ["", "Arguments:"] if template.arguments else []
    for argument in template.arguments:
        needed = f"default {argument.default!r}" if argument.default else "optional"
        needed = "required" if argument.required else needed
        choice = f", one of {', '.join(argument.options)}" if argument.options else ""
        yield f"  --arg {argument.key}=…  {argument.label} ({argument.type}, {needed}{choice})"
        yield from [f"      {argument.description}"] if argument.description else []
    if template.needs_one_of:
        yield f"  One of them is needed: {', '.join(template.needs_one_of)}"
    yield from ["", "Tasks:"] if template.nodes or template.tasks_from else []
    for node in template.nodes:
        after = f", after {', '.join(node.task.after)}" if node.task.after else ""
        review = ", reviewed" if node.task.execution.review else ""
        yield f"  task {node.task.key}: {node.task.name}{review}{after}"
    if template.tasks_from is not None:
        review = ", each reviewed" if template.tasks_from.pattern.execution.review else ""
        yield f"  the tasks that --arg {template.tasks_from.argument}=FILE lists{review}"


@app.command()
def check(
    path: Annotated[
        Path,
        typer.Argument(
            help="A pipeline file, a list of tasks, a template's folder, or a template's key."
        ),
    ],
    json: Json = False,
) -> None:
    """Check a pipeline file, a template or a list of tasks (exit 2 when it is wrong)."""
    file, templates, plans, listed = target(path)
    if listed:
        _tell_tasks(file, listed, json=json)
        return
    config = load()
    for plan in plans:
        _check_staff(file, plan, config.providers, here=False)
        check_files(plan, Path.cwd())
    problem = _problem_here(file, plans, config.providers)
    ignored = [line for template in templates for line in template.ignored]
    warnings = [line for plan in plans for line in _warnings(plan)]
    if json:
        shown: dict[str, Any] = {
            "path": str(file),
            "templates": [template.key for template in templates],
        }
        shown |= {"tasks": [len(plan.tasks) for plan in plans], "ignored": ignored}
        print_json(shown | {"problem_here": problem, "warnings": warnings})
        return
    for line in warnings:
        warn(line)
    for line in ignored:
        warn(f"{line} has no effect")
    if problem is not None:
        warn(f"not on this machine: {problem}")
    names = ", ".join(template.key for template in templates)
    if not templates:
        names = ", ".join(
            f"{plan.name}, {len(plan.tasks)} tasks, {plan.workers} workers"
            + (f"; --arg {', '.join(plan.parameters)}" if plan.parameters else "")
            for plan in plans
        )
    say(f"{file} is fine: {names}")


def _tell_tasks(file: Path, listed: Sequence[TaskSpec], *, json: bool) -> None:
    """A file that lists tasks for a template is fine."""
    keys = [task.key for task in listed]
    if json:
        print_json({"path": str(file), "templates": [], "tasks": [len(keys)], "listed": keys})
        return
    count = "1 task" if len(keys) == 1 else f"{len(keys)} tasks"
    say(f"{file} is fine: {count} for --arg tasks={file}: {', '.join(keys)}")


def _warnings(plan: Plan) -> Iterator[str]:
    """What may be meant, but runs as code what another task printed."""
    for task in plan.tasks:
        for key in outputs_run(task.run or ""):
            yield (
                f"task {task.key}: it runs the output of {key} as code, whatever that says; "
                "make sure that you mean it"
            )


def _problem_here(file: Path, plans: list[Plan], providers: Providers) -> str | None:
    """Why nobody on this machine could start it, such as a CLI that is not installed."""
    try:
        for plan in plans:
            _check_staff(file, plan, providers, here=True)
    except UsageError as error:
        return str(error)
    return None


def _check_staff(file: Path, plan: Plan, providers: Providers, *, here: bool) -> None:
    try:
        choose(WorkflowSpec(), plan, providers, os.environ, here=here)
    except UsageError as error:
        raise error if here else UsageError(f"cannot use {file}: {error}") from error


def _shown(template: Any) -> dict[str, Any]:
    return {
        "key": template.key,
        "source": template.source,
        "path": os.fspath(template.path),
        "name": template.name,
        "description": template.description,
        "version": template.version,
        "labels": list(template.labels),
        "arguments": [asdict(argument) for argument in template.arguments],
        "needs_one_of": list(template.needs_one_of),
        "cost": template.cost,
        "example": template.example,
        "worktree": template.worktree is not None,
        "nodes": [_node(node.task) for node in template.nodes],
        "error": template.error,
    }


def _node(task: TaskSpec) -> dict[str, Any]:
    return {
        "key": task.key,
        "name": task.name,
        "after": list(task.after),
        "assignee": task.assignee,
        "review": task.execution.review or None,
    }
