"""`perles templates`: what a workflow can be an instance of."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, print_table, say, warn
from perles.config.load import load
from perles.config.provider_settings import Providers
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.specs import Plan, WorkflowSpec
from perles.templates.catalog import PIPELINE
from perles.templates.check import check_template
from perles.templates.pipeline import read_pipeline
from perles.templates.shell_pipes import outputs_run
from perles.templates.template import Template
from perles.templates.template_file import read_templates
from perles.workflows.create import check_files
from perles.workflows.roles import choose

app = typer.Typer(help="List, show and check templates of workflows.", no_args_is_help=True)


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
    """Show a template and its arguments."""
    template = ControlPlane().templates(Path.cwd()).get(key)
    if json:
        print_json(_shown(template))
        return
    say(f"{template.key} {template.version}: {template.name} ({template.source}, {template.path})")
    if template.description:
        say(template.description)
    for argument in template.arguments:
        needed = "required" if argument.required else f"default {argument.default!r}"
        choice = f", one of {', '.join(argument.options)}" if argument.options else ""
        say(f"  --arg {argument.key}=…  {argument.label} ({argument.type}, {needed}{choice})")
    for node in template.nodes:
        say(
            f"  task {node.task.key}: {node.task.name}"
            + (f", after {', '.join(node.task.after)}" if node.task.after else "")
        )


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(help="A pipeline file, a template's folder, or a template's key.")
    ],
    json: Json = False,
) -> None:
    """Check a pipeline file or a template (exit 2 when it is wrong)."""
    file, templates, plans = _read(path)
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


def _warnings(plan: Plan) -> Iterator[str]:
    """What may be meant, but runs as code what another task printed."""
    for task in plan.tasks:
        for key in outputs_run(task.run or ""):
            yield (
                f"task {task.key}: it runs the output of {key} as code, whatever that says; "
                "make sure that you mean it"
            )


def _read(path: Path) -> tuple[Path, list[Template], list[Plan]]:
    """The file that is meant, its templates, and the plans that can be made without arguments."""
    if not path.exists() and path.name == str(path) and not path.suffix:
        template = ControlPlane().templates(Path.cwd()).get(str(path))
        takes_file = template.source == "builtin" and template.key == PIPELINE
        return template.path, [template], [] if takes_file else [check_template(template)]
    if path.is_dir() or path.name == "template.yaml":
        file = path / "template.yaml" if path.is_dir() else path
        found = read_templates(file, "file")
        if not found:
            raise UsageError(f"cannot use {file}: it registers no workflow")
        return file, found, [check_template(template) for template in found]
    return path, [], [read_pipeline(path, sampled=True)]


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
        "error": template.error,
    }
