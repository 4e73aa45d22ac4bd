"""`perles templates`: what a workflow can be an instance of."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from perles.cli.output import print_json, print_table, say
from perles.controlplane import ControlPlane
from perles.domain.errors import UsageError

app = typer.Typer(help="Templates of workflows.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List all templates: those that come with Perles, yours, and the repository's."""
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
            f"  task {node.key}: {node.name}"
            + (f", after {', '.join(node.after)}" if node.after else "")
        )


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(help="A pipeline file, a template's folder, or a template's key.")
    ],
) -> None:
    """Check a pipeline file or a template (exit 2 when something is wrong with it)."""
    from perles.templates.pipeline import read_pipeline
    from perles.templates.template import read_templates

    if not path.exists() and path.name == str(path) and not path.suffix:
        template = ControlPlane().templates(Path.cwd()).get(str(path))
        say(f"{template.path} is fine: {template.key}")
    elif path.is_dir() or path.name == "template.yaml":
        file = path / "template.yaml" if path.is_dir() else path
        found = read_templates(file, "file")
        if not found:
            raise UsageError(f"cannot use {file}: it registers no workflow")
        say(f"{file} is fine: {', '.join(template.key for template in found)}")
    else:
        plan = read_pipeline(path)
        say(f"{path} is fine: {plan.name}, {len(plan.tasks)} tasks, {plan.workers} workers")


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
