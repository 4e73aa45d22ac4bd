"""The catalog: the templates that are there, and the plans they make.

Three roots, each over the ones before it: those that come with Perles, the
user's, the repository's. A template that cannot be read is listed as broken.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from perles.config.yamlfile import read_bytes
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.specs import Plan, TaskSpec
from perles.templates.arguments import check_arguments
from perles.templates.pipeline import read_pipeline
from perles.templates.render import render
from perles.templates.template import TaskNode, Template, broken, read_templates

BUILTIN: Final = Path(__file__).with_name("builtin")
PIPELINE: Final = "pipeline"
VARIABLES: Final = ("Args", "Name", "Slug", "Date")
"""What a template's texts may name."""


class Catalog:
    """Finds templates. `user` and `project` need not exist."""

    def __init__(self, *, user: Path, project: Path | None, builtin: Path | None = None) -> None:
        self._roots = [("builtin", builtin or BUILTIN), ("user", user)]
        if project is not None:
            self._roots.append(("project", project))

    def list(self) -> list[Template]:
        """All templates by key; one of a later root stands for one of an earlier."""
        found: dict[str, Template] = {}
        for source, root in self._roots:
            for path in sorted(root.glob("*/template.yaml")):
                for template in _read(path, source):
                    found[template.key] = template
        return list(found.values())

    def get(self, key: str) -> Template:
        """The template with this key. Raises `UsageError`."""
        found = {template.key: template for template in self.list()}
        if key not in found:
            raise UsageError(
                f"cannot find template {key!r}{nearest(key, found)}; "
                "perles templates list shows all"
            )
        template = found[key]
        if template.error is not None:
            raise UsageError(template.error)
        return template

    def plan(self, key: str, args: Mapping[str, str], *, name: str | None) -> Plan:
        """What the template makes of arguments. Raises `UsageError` that names the wrong one."""
        template = self.get(key)
        if key == PIPELINE and template.source == "builtin":
            given = dict(args)
            file = {"file": given.pop("file")} if "file" in given else {}
            values = check_arguments(template.arguments, file, f"template {key}")
            return read_pipeline(Path(values["file"]).expanduser(), given)
        return plan_of(template, args, name=name)


def plan_of(template: Template, args: Mapping[str, str], *, name: str | None = None) -> Plan:
    """What a template's nodes make of arguments. Raises `UsageError` that names the wrong one."""
    values = check_arguments(template.arguments, args, f"template {template.key}")
    if not template.nodes:
        raise UsageError(f"cannot use template {template.key!r}: {template.path} has no nodes")
    title = name or template.name
    today = datetime.now(UTC).date().isoformat()
    context = dict(zip(VARIABLES, (values, title, title, today), strict=True))
    tasks = tuple(_task(node, context, template.path.parent) for node in template.nodes)
    return Plan(
        template_id=template.key,
        name=title,
        tasks=tasks,
        workers=template.workers,
        roles=template.roles,
        worktree=template.worktree,
        merge=template.merge,
        provider="builtin" if all(_needs_no_ai(task) for task in tasks) else "claude",
        definition={"source": str(template.path), "version": template.version},
    )


def _task(node: TaskNode, context: Mapping[str, Any], folder: Path) -> TaskSpec:
    task = node.task
    written_in = task.execution.language
    run = task.run and render(task.run, context, source=node.source, written_in=written_in)
    body = ""
    if node.body_file is not None:
        path = folder / node.body_file
        try:
            body = render(read_bytes(path).decode(), context, source=str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {path}, which {node.source} names: {error}") from error
    return replace(task, run=run, body=body)


def _needs_no_ai(task: TaskSpec) -> bool:
    return task.run is not None or task.assignee == "human"


def _read(path: Path, source: str) -> list[Template]:
    try:
        return read_templates(path, source)
    except UsageError as error:
        return [broken(path, source, error)]
