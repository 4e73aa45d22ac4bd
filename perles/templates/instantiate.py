"""What a template makes of arguments: the plan of a workflow."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from perles.config import yamlfile
from perles.domain.errors import UsageError
from perles.domain.slug import slug
from perles.domain.specs import Plan, TaskSpec
from perles.templates import leading
from perles.templates.arguments import Argument, check_arguments
from perles.templates.expand.fill import folded
from perles.templates.graph import upstream
from perles.templates.keys.hand_on import path_problem
from perles.templates.outputs import references, refusal_of, value_variables
from perles.templates.render import render
from perles.templates.task_files.read import read_tasks
from perles.templates.template import DOCUMENTS, TaskNode, Template
from perles.templates.values import fill_values, found_in

VARIABLES: Final = ("Args", "Name", "Slug", "Date", "Config")
"""What every text of a template may name."""
NODE_VARIABLES: Final = (*VARIABLES, "Inputs", "Outputs")
"""What the texts of its nodes may name."""
_NAME_LETTERS: Final = 60
_MAX_IN_CONDITION: Final = 200
"""Characters of a value that stands in a condition."""


def plan_of(
    template: Template,
    args: Mapping[str, str],
    *,
    name: str | None = None,
    documents: str = DOCUMENTS,
) -> Plan:
    """What a template makes of arguments. Raises `UsageError` that names what is wrong."""
    values = check_arguments(template.arguments, args, f"template {template.key}")
    _check_needed(template, values)
    values = _with_files(template, values)
    title = name or title_of(template, values)
    context = _context(template, values, title, documents)
    tasks = [_task(node, context, template) for node in template.nodes]
    tasks += _listed(template, values, {task.key for task in tasks})
    _check_kept_apart(template, tasks)
    groups = _groups(template)
    _check_references(template, {task.key: task for task in tasks}, groups)
    leads = template.epic is not None or template.system_prompt is not None
    needs_ai = leads or not tasks or any(not _needs_no_ai(task) for task in tasks)
    return Plan(
        template_id=template.key,
        name=title,
        tasks=tuple(tasks),
        workers=template.workers,
        roles=template.roles,
        worktree=template.worktree,
        merge=template.merge,
        groups=groups,
        provider="claude" if needs_ai else "builtin",
        goal=_epic(template, context, values) if needs_ai else "",
        instructions=leading.instructions(template, tasks) if needs_ai else "",
        definition={"source": str(template.path), "version": template.version},
    )


def title_of(template: Template, values: Mapping[str, str]) -> str:
    """What a workflow is called that nobody named: the template's name, and what it is about."""
    about = next(filter(None, (_about(one, values) for one in template.arguments)), "")
    whole = f"{template.name}: {about}" if about else template.name
    return whole if len(whole) <= _NAME_LETTERS else f"{whole[: _NAME_LETTERS - 1]}…"


def _about(argument: Argument, values: Mapping[str, str]) -> str:
    """What a value tells of a workflow in a few words, where it does."""
    value = values[argument.key].strip()
    if argument.type == "file":
        value = Path(value).stem
    elif argument.type != "textarea":
        return ""
    first = value.splitlines()[0] if value else ""
    return "".join(letter for letter in first if letter.isprintable()).strip()


def _context(
    template: Template, values: Mapping[str, str], title: str, documents: str
) -> dict[str, Any]:
    today = datetime.now(UTC).astimezone().date().isoformat()
    found = (dict(values), title, slug(title, template.key), today, {"document_path": documents})
    return dict(zip(VARIABLES, found, strict=True))


def _check_needed(template: Template, values: Mapping[str, str]) -> None:
    wanted = template.needs_one_of
    if wanted and not any(values[key].strip() for key in wanted):
        options = " or ".join(f"--arg {key}=…" for key in wanted)
        raise UsageError(
            f"cannot use template {template.key!r} without {' or '.join(wanted)}: give {options}"
        )


def _with_files(template: Template, values: dict[str, str]) -> dict[str, str]:
    """The values with whole paths of files, wherever agents work. Raises `UsageError`."""
    found = dict(values)
    for argument in template.arguments:
        value = values[argument.key].strip()
        if argument.type == "file" and value:
            path = Path(value).expanduser().absolute()
            if not path.exists():
                raise UsageError(f"cannot use {argument.key}={value[:80]!r}: there is no such file")
            found[argument.key] = str(path)
    return found


def _task(node: TaskNode, context: Mapping[str, Any], template: Template) -> TaskSpec:
    task = node.task
    where = node.source
    inputs = _files(task.inputs, {**context, "Inputs": {}, "Outputs": {}}, where, template)
    outputs = _files(task.outputs, {**context, "Inputs": inputs, "Outputs": {}}, where, template)
    context = {**context, "Inputs": inputs, "Outputs": outputs}
    written_in = task.execution.language
    run = task.run and render(task.run, context, source=where, written_in=written_in)
    body = render(task.body, context, source=where) if task.body else ""
    if node.body_file is not None:
        text = _with_values(yamlfile.read_text(node.body_file), node)
        body = render(text, context, source=str(node.body_file))
    if task.run is None:
        body = leading.with_files(body, inputs, outputs)
    when = task.when and folded(task.when, lambda path: _argument_text(context["Args"], path))
    task = replace(task, run=run, body=body, inputs=inputs, outputs=outputs, when=when)
    return replace(task, env={**value_variables(task, node.values), **task.env})


def _with_values(text: str, node: TaskNode) -> str:
    """The text of a file with the values of this cell or item. Raises `UsageError`."""
    for found in found_in(text):
        is_ours = found.path.startswith("matrix.") or "item" in node.values
        if is_ours and found.path not in node.values:
            place = f"{node.body_file}:{text.count(chr(10), 0, found.start) + 1}"
            known = ", ".join(node.values) or "none"
            raise UsageError(
                f"cannot render {place}: {{{{ {found.path} }}}}: {node.task.key} has no such "
                f"value; known are {known}"
            )
    return fill_values(text, node.values.get)


def _argument_text(values: Mapping[str, str], path: str) -> str | None:
    """A value for a condition; a long one is looked up when the condition is decided."""
    text = values.get(path.removeprefix("args.")) if path.startswith("args.") else None
    return None if text is None or len(text) > _MAX_IN_CONDITION else text


def _files(
    files: Mapping[str, str], context: Mapping[str, Any], where: str, template: Template
) -> dict[str, str]:
    """Paths below the work dir, by key. Raises `UsageError` for one that leads out of it."""
    found = {}
    for key, written in files.items():
        name = render(written, context, source=where)
        path = f"{template.prefix}/{name}" if template.prefix else name
        problem = path_problem(path)
        if problem is not None:
            raise UsageError(f"cannot use {where}: the file {key!r}, {path[:80]!r}, {problem}")
        found[key] = path
    return found


def _listed(template: Template, values: Mapping[str, str], taken: set[str]) -> list[TaskSpec]:
    """The tasks that a file lists which an argument names."""
    wanted = template.tasks_from
    if wanted is None or not values[wanted.argument].strip():
        return []
    only = values[wanted.only].strip() if wanted.only else ""
    path = Path(values[wanted.argument]).expanduser()
    found = read_tasks(path, only=only, pattern=wanted.pattern)
    for task in found:
        if task.key in taken:
            raise UsageError(
                f"cannot use {path}: the template has a task {task.key!r}, too; rename it"
            )
    return found


def _check_kept_apart(template: Template, tasks: list[TaskSpec]) -> None:
    """Raise `UsageError` where two tasks make one file, now that its name is filled in."""
    makers: dict[str, str] = {}
    for task in tasks:
        for path in task.outputs.values():
            if path in makers:
                raise UsageError(
                    f"cannot use template {template.key!r}: {makers[path]} and {task.key} both "
                    f"make {path}"
                )
            makers[path] = task.key


def _groups(template: Template) -> dict[str, list[str]]:
    """The tasks that one name stands for."""
    found: dict[str, list[str]] = {}
    for node in template.nodes:
        for group in node.groups:
            found.setdefault(group, []).append(node.task.key)
    return found


def _check_references(
    template: Template, tasks: dict[str, TaskSpec], groups: Mapping[str, list[str]]
) -> None:
    """Raise `UsageError` where a text wants the output of a task that is not done by then."""
    where = {node.task.key: node.source for node in template.nodes}
    for task in tasks.values():
        place = where.get(task.key, str(template.path))
        for key, _ in references(task.body or task.run or ""):
            if key in groups:
                raise UsageError(
                    f"cannot use {place}: tasks.{key} stands for several tasks; name one of them: "
                    f"{', '.join(groups[key][:3])}"
                )
            if key not in task.after and key not in upstream(task.key, tasks):
                raise UsageError(
                    f"cannot use {place}: {task.key} wants the output of {key!r} and does not "
                    "wait for it; name it in after"
                )
        refused = refusal_of(task)
        if refused is not None:
            raise UsageError(f"cannot use {place}: {refused}")


def _epic(template: Template, context: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """What the workflow is about, as its coordinator is told and people see."""
    if template.epic is not None:
        whole = {**context, **_all_files(template, context)}
        return render(yamlfile.read_text(template.epic), whole, source=str(template.epic)).strip()
    lines = [f"{context['Name']} (template {template.key})"]
    lines += [_argument(one, values[one.key]) for one in template.arguments if values[one.key]]
    return "\n".join(lines)


def _argument(argument: Argument, value: str) -> str:
    return f"{argument.label}: {value.strip()}"


def _all_files(template: Template, context: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The files of all nodes: an epic may name those of its whole workflow."""
    found: dict[str, dict[str, str]] = {"Inputs": {}, "Outputs": {}}
    for node in template.nodes:
        empty = {**context, "Inputs": {}, "Outputs": {}}
        found["Inputs"] |= _files(node.task.inputs, empty, node.source, template)
        found["Outputs"] |= _files(node.task.outputs, empty, node.source, template)
    return found


def _needs_no_ai(task: TaskSpec) -> bool:
    return task.run is not None or task.assignee == "human"
