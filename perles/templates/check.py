"""Whether a template can become a workflow, told before anybody tries."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from perles.config import yamlfile
from perles.domain.errors import UsageError
from perles.domain.specs import Plan
from perles.templates.arguments import sample
from perles.templates.instantiate import NODE_VARIABLES, VARIABLES, plan_of
from perles.templates.render import check_variables
from perles.templates.template import TaskNode, Template


def check_template(template: Template) -> Plan:
    """The plan that the template makes of its defaults, and of samples where it has none.

    Raises `UsageError` that names the place of what would go wrong, in whichever branch.
    """
    if template.ignored:
        raise UsageError("\n".join(f"cannot use {line}" for line in template.ignored))
    arguments = [argument.key for argument in template.arguments]
    for text, source, has_lines, variables in _texts(template):
        check_variables(text, variables, arguments, source=source, has_lines=has_lines)
    from_file = template.tasks_from.argument if template.tasks_from else None
    samples = {argument.key: sample(argument) for argument in template.arguments}
    for argument in template.arguments:
        if argument.type == "file":  # one that is there, and lists no tasks
            is_list = argument.key == from_file
            samples[argument.key] = argument.default if is_list else str(template.path)
    return plan_of(template, samples)


def _texts(template: Template) -> Iterator[tuple[str, str, bool, Sequence[str]]]:
    """Every text with its source, whether that has lines, and the variables that it may name."""
    for node in template.nodes:
        yield from _texts_of(node)
    if template.epic is not None:
        yield _read(template.epic), str(template.epic), True, NODE_VARIABLES


def _texts_of(node: TaskNode) -> Iterator[tuple[str, str, bool, Sequence[str]]]:
    task = node.task
    for text in (task.run, task.body):
        if text:
            yield text, node.source, False, NODE_VARIABLES
    for text in task.inputs.values():
        yield text, node.source, False, VARIABLES
    for text in task.outputs.values():
        yield text, node.source, False, (*VARIABLES, "Inputs")
    if node.body_file is not None:
        yield _read(node.body_file), str(node.body_file), True, NODE_VARIABLES


def _read(path: Path) -> str:
    return yamlfile.read_text(path)
