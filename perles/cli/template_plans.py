"""The plans that a file, a folder of a template, or a template's key stands for."""

from pathlib import Path
from typing import NamedTuple

from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.specs import Plan, TaskSpec
from perles.templates.catalog import PIPELINE
from perles.templates.check import check_template
from perles.templates.pipeline import read_pipeline
from perles.templates.task_files.read import is_task_list, read_tasks
from perles.templates.template import Template
from perles.templates.template_file import read_templates


class Target(NamedTuple):
    """The file that is meant, its templates, and the plans that can be made with samples.

    `listed` are the tasks, where it is a file for `--arg tasks=FILE`.
    """

    file: Path
    templates: list[Template]
    plans: list[Plan]
    listed: list[TaskSpec]


def target(path: Path) -> Target:
    """What is meant, checked. Raises `UsageError` that names what is wrong with it."""
    if not path.exists() and path.name == str(path) and not path.suffix:
        template = ControlPlane().templates(Path.cwd()).get(str(path))
        takes_file = template.source == "builtin" and template.key == PIPELINE
        plans = [] if takes_file else [check_template(template)]
        return Target(template.path, [template], plans, [])
    if path.is_dir() or path.name == "template.yaml":
        file = path / "template.yaml" if path.is_dir() else path
        found = read_templates(file, "file", file.absolute().parent.parent)
        if not found:
            raise UsageError(f"cannot use {file}: it registers no workflow")
        return Target(file, found, [check_template(template) for template in found], [])
    if is_task_list(path):
        return Target(path, [], [], read_tasks(path))
    return Target(path, [], [read_pipeline(path, sampled=True)], [])
