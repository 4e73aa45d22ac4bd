"""What people call a workflow: its name and its labels, when it is created and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from perles.domain.errors import UsageError
from perles.domain.plain import is_one_line
from perles.store.events import journal
from perles.store.expressions import bindparam, delete, select
from perles.store.schema.workflows import Workflow, WorkflowLabel
from perles.store.sql import Sql
from perles.store.transaction import Tx

if TYPE_CHECKING:
    from perles.domain.commands import Command, Label

MAX_NAME: Final = 200
MAX_LABELS: Final = 50
_LABELS: Final = Sql(
    select(WorkflowLabel.key, WorkflowLabel.value).where(
        WorkflowLabel.workflow_id == bindparam("id")
    )
)
_REMOVE: Final = Sql(
    delete(WorkflowLabel).where(
        WorkflowLabel.workflow_id == bindparam("id"), WorkflowLabel.key == bindparam("key")
    )
)


def checked_name(given: str) -> str:
    """A name without blanks around it. Raises `UsageError`."""
    name = given.strip()
    if not name or len(name) > MAX_NAME:
        raise UsageError(f"cannot use this name: it must have 1 to {MAX_NAME} characters")
    return _printable("name", name)


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise `UsageError` for labels that no workflow can have."""
    if len(labels) > MAX_LABELS:
        raise UsageError(
            f"cannot add {len(labels)} labels to a workflow: the limit is {MAX_LABELS}"
        )
    for key, value in labels.items():
        for text in (key, value):
            if not text or len(text) > MAX_NAME:
                raise UsageError(
                    f"cannot use label {key}={value}: both sides need 1 to {MAX_NAME} characters"
                )
            _printable("label", text)


def check(tx: Tx, workflow_id: str, command: Command) -> None:
    """Raise `UsageError` for a new name or labels that cannot be."""
    from perles.domain.commands import Label, Rename  # creating a workflow needs none of them

    if isinstance(command, Rename):
        checked_name(command.name)
    elif isinstance(command, Label):
        check_labels(_labels_after(tx, workflow_id, command))


def rename(tx: Tx, workflow_id: str, name: str) -> dict[str, Any]:
    """Give a workflow another name, with an event that tells the old one."""
    name = checked_name(name)
    before = tx.need(Workflow, workflow_id).name
    tx.update(Workflow, workflow_id, name=name, unrecorded=1)
    payload = {"name": name, "before": {"name": before}}
    journal.append(tx, "workflow.changed", payload, workflow_id=workflow_id)
    return {"name": name}


def label(tx: Tx, workflow_id: str, wanted: Label) -> dict[str, Any]:
    """Hang labels on a workflow and take others off; all that it has then."""
    labels = _labels_after(tx, workflow_id, wanted)
    check_labels(labels)
    for key in {*wanted.add, *wanted.remove}:
        tx.run(_REMOVE, id=workflow_id, key=key)
    for key, value in wanted.add.items():
        tx.insert(WorkflowLabel, workflow_id=workflow_id, key=key, value=value)
    tx.update(Workflow, workflow_id, unrecorded=1)
    journal.append(tx, "workflow.changed", {"labels": labels}, workflow_id=workflow_id)
    return {"labels": labels}


def _labels_after(tx: Tx, workflow_id: str, wanted: Label) -> dict[str, str]:
    labels = {row["key"]: row["value"] for row in tx.rows(_LABELS, id=workflow_id)}
    for key in wanted.remove:
        labels.pop(key, None)
    return labels | wanted.add


def _printable(what: str, text: str) -> str:
    """`text`, where it holds no control character and no broken one. Raises `UsageError`."""
    if not is_one_line(text):
        raise UsageError(f"cannot use {what} {text!r}: it holds control characters")
    return text
