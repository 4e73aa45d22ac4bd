"""Whether a template can become a workflow, told before anybody tries."""

from perles.config.yamlfile import read_bytes
from perles.domain.specs import Plan
from perles.templates.arguments import sample
from perles.templates.catalog import VARIABLES, plan_of
from perles.templates.render import check_variables
from perles.templates.template import Template


def check_template(template: Template) -> Plan:
    """The plan that the template makes of its defaults, and of samples where it has none.

    Raises `UsageError` that names the place of what would go wrong, in whichever branch.
    """
    arguments = [argument.key for argument in template.arguments]
    for node in template.nodes:
        if node.task.run is not None:
            check_variables(
                node.task.run, VARIABLES, arguments, source=node.source, has_lines=False
            )
        if node.body_file is not None:
            path = template.path.parent / node.body_file
            text = read_bytes(path).decode(errors="replace")  # `plan_of` says what is wrong with it
            check_variables(text, VARIABLES, arguments, source=str(path))
    return plan_of(template, {argument.key: sample(argument) for argument in template.arguments})
