"""`perles templates new`, `graph` and `schema`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, say
from perles.cli.template_plans import target
from perles.config.files import repo_of
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.templates.drawing import drawn, mermaid
from perles.templates.keys.schema import pipeline_schema
from perles.templates.new import write_new
from perles.templates.template_schema import template_schema


class Kind(StrEnum):
    """What a file can be that has a schema."""

    PIPELINE = "pipeline"
    TEMPLATE = "template"


def new(
    name: Annotated[
        str, typer.Argument(help="Key of the template: lower-case letters, digits and -.")
    ],
    repo: Annotated[
        bool,
        typer.Option("--repo", help="Create it in this repository, for everyone who works there."),
    ] = False,
    json: Json = False,
) -> None:
    """Create a working template to start from, in your folder or in the repository's."""
    root = ControlPlane().paths.user_workflows_dir()
    if repo:
        top = repo_of(Path.cwd())
        if top is None:
            raise UsageError("cannot find a repository here: git init, or leave --repo out")
        root = top / ".perles" / "workflows"
    folder = write_new(root, name)
    if json:
        print_json({"path": str(folder), "key": folder.name})
        return
    say(f"{folder} is a template now. Change it as you like, then:")
    say(f"  perles templates check {folder.name}")
    say(f'  perles run {folder.name} --arg goal="…"')


def graph(
    path: Annotated[
        Path, typer.Argument(help="A pipeline file, a template's folder, or a template's key.")
    ],
    as_mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Draw a Mermaid graph, for Markdown.")
    ] = False,
    json: Json = False,
) -> None:
    """Draw the dependencies of a template, a pipeline file or a list of tasks."""
    found = target(path)
    plans = [plan.tasks for plan in found.plans] or [tuple(found.listed)]
    if json:
        print_json(
            [
                {"key": task.key, "name": task.name, "after": list(task.after)}
                for tasks in plans
                for task in tasks
            ]
        )
        return
    for tasks in plans:
        if not tasks:
            say(f"{found.file} has no tasks of its own")
        elif as_mermaid:
            say(mermaid(tasks))
        else:
            for line in drawn(tasks):
                say(line)


def schema(
    kind: Annotated[
        Kind, typer.Argument(help="pipeline, or template for template.yaml.")
    ] = Kind.PIPELINE,
    json: Json = False,
) -> None:
    """Print the JSON Schema of pipeline files, or of template.yaml, for editors."""
    del json  # it is JSON in any case
    print_json(pipeline_schema() if kind is Kind.PIPELINE else template_schema())


def add_to(app: typer.Typer) -> None:
    """Let the commands stand below `perles templates`."""
    for command in (new, graph, schema):
        app.command()(command)
