"""The nodes of a template: how its tasks are read, before arguments are filled in."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.patterns import lazy_pattern
from perles.domain.specs import TaskSpec
from perles.templates.expand.cells import FANS, Made
from perles.templates.fan_out import Names, tasks_of
from perles.templates.graph import check_conditions, check_items, check_last, find_circle
from perles.templates.handing_on import ordered
from perles.templates.keys import table
from perles.templates.keys.flow import last
from perles.templates.keys.key import At, Defaults, Entries
from perles.templates.lenient import NODE_KEYS, Unknown, as_name, listed, text_of
from perles.templates.template import TaskNode
from perles.templates.template_paths import locate
from perles.templates.values import fill_values

_ASSIGNEE: Final = lazy_pattern(r"human|worker-[1-9][0-9]?")


def nodes(entries: Entries, folder: Path, root: Path, unknown: Unknown) -> tuple[TaskNode, ...]:
    """The nodes of a template, those under `finally` at the end. Raises `UsageError`."""
    finals = listed(entries.get("finally"))
    made = tasks_of(listed(entries.get("nodes")))
    early = len(made)
    made += tasks_of(finals)
    names = Names(made)
    above = table.defaults(entries)
    found = [_node(one, names, folder, root, above, unknown) for one in made]
    by_key = {node.task.key: one.node for node, one in zip(found, made, strict=True)}
    tasks = {
        node.task.key: node.task if number < early else last(node.task)
        for number, node in enumerate(found)
    }
    tasks = ordered(by_key, tasks)
    circle = find_circle({key: task.after for key, task in tasks.items()})
    if circle:
        raise by_key[circle[0]].error(
            "nodes wait for each other (cycle detected in dependency graph): "
            f"{' -> '.join(circle)}; remove one of these"
        )
    check_last(by_key, tasks)
    arguments = [text_of(item.mapping(), "key") for item in listed(entries.get("arguments"))]
    check_conditions(by_key, tasks, arguments)
    for key, task in tasks.items():
        check_items(by_key[key], task, tasks)
    return tuple(
        node if node.task is tasks[node.task.key] else replace(node, task=tasks[node.task.key])
        for node in found
    )


def pattern(node: Node, above: Defaults) -> TaskSpec:
    """How tasks are that a file lists: the keys of a task except the ones that the file gives."""
    given = {"key", "name", "run", "prompt", "question", "assignee", "after", "inputs", "outputs"}
    given |= {*FANS}
    entries = node.mapping([name for name in table.names(At.TASK) if name not in given])
    place = node.having("pattern")
    return table.task({"key": place, "prompt": place, **entries}, above)


def _node(
    made: Made, names: Names, folder: Path, root: Path, above: Defaults, unknown: Unknown
) -> TaskNode:
    item = made.node
    entries = {
        name: node
        for name, node in unknown.entries(item, NODE_KEYS).items()
        if node.value is not None and (node.value != "" or name in ("run", "prompt"))
    }
    _check_kind(item, entries)
    written = text_of(entries, "key")
    if names.keys[written] != written:
        entries["key"] = entries["key"].having(names.keys[written])
    if "name" in entries:
        entries["name"] = as_name(entries["name"])
        if not entries["name"].value:
            del entries["name"]
    if "after" in entries:
        entries["after"] = names.after(entries["after"], written)
    task = table.task(entries, above)
    return TaskNode(
        task=replace(
            task,
            body=fill_values(task.body, made.values.get),
            fan_out=names.source(made.fan_out, item),
            shares=made.shares,
        ),
        source=item.where,
        body_file=locate(entries["template"], folder, root) if "template" in entries else None,
        values=made.values,
        groups=tuple(made.groups),
    )


def _check_kind(item: Node, entries: Entries) -> None:
    """A node is a command, a text for an agent, or a question to a person."""
    if "assignee" in entries and not _ASSIGNEE.fullmatch(entries["assignee"].text()):
        found = entries["assignee"].text()
        raise entries["assignee"].error(
            f"invalid assignee {found[:60]!r}: must be human, or worker-1 to worker-99"
        )
    human = text_of(entries, "assignee") == "human"
    texts = [name for name in ("run", "prompt", "template", "question") if name in entries]
    for name in ("run", "prompt"):
        if human and name in entries:
            raise entries[name].error("is not for a node with assignee: human")
    if len(texts) > 1:
        kind = {"run": "a command"}.get(texts[0], "a text")
        raise entries[texts[1]].error(f"is not for a node with {texts[0]}, {kind}")
    if "question" in entries and not human:
        raise entries["question"].error("is for nodes with assignee: human")
    if not human and not texts:
        raise item.error(
            "a node needs run, a command, prompt, or template, a file that says what to do"
        )
    if "env" in entries and "run" not in entries:
        raise entries["env"].error("is for commands; an agent has the environment of its provider")
