"""needs: what a task needs of the node that runs it."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.node_words import is_node_name
from perles.domain.placement import ANYWHERE, Place
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import TEXT, one_or_more, parts

MAX_LABELS: Final = 20
_LABEL: Final = {"type": "string", "pattern": "^[A-Za-z0-9]"}


def place(entries: Entries) -> Place:
    """What a task needs of a node. Raises `UsageError`."""
    if "needs" not in entries:
        return ANYWHERE
    node = entries["needs"]
    given = node.mapping(("label", "memory"))
    if not given:
        raise node.error("is empty; give label or memory, or leave it out")
    if "assignee" in entries:
        raise node.error("is not for a task with assignee: human")
    labels = _labels(given["label"]) if "label" in given else ()
    return Place(labels=labels, memory=given["memory"].size() if "memory" in given else 0)


def _labels(node: Node) -> tuple[str, ...]:
    items = [node] if isinstance(node.value, str) else node.items()
    if not 0 < len(items) <= MAX_LABELS:
        raise node.error(f"needs 1 to {MAX_LABELS} labels")
    for item in items:
        if not is_node_name(item.text()):
            raise item.error("is no label; use letters, digits and . _ - between them")
    return tuple(item.text() for item in items)


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"place": place(entries)}


FAMILY: Final = Family(
    title="Which machine",
    text="""\
Only with a cluster (docs/cluster.md); without one, tasks run on this machine, whatever they need,
and `perles create` and `perles run` say so.
A task whose needs no node meets waits; `perles show`, `perles list` and the inbox say what for.
""",
    execution=_execution,
    keys=(
        Key(
            name="needs",
            at=TASKS,
            schema=parts({"label": one_or_more(_LABEL, MAX_LABELS), "memory": TEXT}),
            doc="What the node that runs the task must have: `label`, one or a list, and "
            "`memory`, the free memory, such as 2GiB.",
            example="- {key: train, run: python train.py, needs: {label: gpu, memory: 2GiB}}",
        ),
    ),
)
