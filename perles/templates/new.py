"""A folder for a template of one's own, which works as it is."""

from pathlib import Path
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.templates.keys.texts import task_key

_TEMPLATE: Final = """\
# perles templates show NAME tells of it, perles templates check NAME looks for mistakes,
# perles templates graph NAME draws it. docs/templates.md has every key.
registry:
  - namespace: workflow
    key: NAME
    version: "1"
    name: TITLE
    description: Does what you ask for, has it reviewed, and asks you before it runs the tests.
    workers: 2
    example: perles run NAME --arg goal="Say hello to users by name"
    arguments:
      - {key: goal, label: Goal, type: textarea, required: true, description: What is to be done}
      - {key: tests, label: Tests, type: text, default: "true", description: Command of the tests}
    nodes:
      - key: plan
        template: plan.md
        role: researcher
        outputs: {plan: "docs/{{ Date }}-{{ Slug }}.md"}
      - key: do
        template: do.md
        role: implementer
        review: true
        inputs: {plan: "docs/{{ Date }}-{{ Slug }}.md"}
      - key: look
        assignee: human
        question: "Look at what was done for: {{ Args.goal }}"
        after: [do]
      - key: test
        run: sh -c {{ Args.tests }}
        timeout: 30m
        after: [look]
"""
_PLAN: Final = """\
The goal, in the user's words:

{{ Args.goal }}

Look at what is there, then write {{ Outputs.plan }}: what is to be changed, in which files, in
which order, how it is tested, and how one knows that it is done. Change nothing else.
"""
_DO: Final = """\
Do what {{ Inputs.plan }} says. The goal was:

{{ Args.goal }}

What its author reported:

{{ tasks.plan.output }}

Write tests with it, and run them. Where the plan is wrong, do what the goal asks for, and say so
in your report.
"""


def write_new(root: Path, name: str) -> Path:
    """Write the folder of a new template below the folder of all; its path. Raises `UsageError`."""
    key = task_key(Node(name, "the name", 0))
    folder = root / key
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"cannot make {folder}: it exists already; choose another name") from None
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}") from error
    title = key.replace("-", " ").replace("_", " ").capitalize()
    text = _TEMPLATE.replace("NAME", key).replace("TITLE", title)
    for file, content in (("template.yaml", text), ("plan.md", _PLAN), ("do.md", _DO)):
        (folder / file).write_text(content)
    return folder
