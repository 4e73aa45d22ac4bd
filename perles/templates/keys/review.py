"""The key that has an agent's work reviewed before it is done: review."""

from collections.abc import Mapping
from typing import Any, Final

from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import YES_OR_NO, either

KINDS: Final = ("simple", "complex")
_NO: Final = ("false", "no", "off", "n")


def _execution(entries: Entries, _: Defaults) -> Mapping[str, Any]:
    node = entries.get("review")
    if node is None:
        return {"review": ""}
    if "prompt" not in entries and "template" not in entries:
        raise node.error("is for tasks of agents; use a task with a prompt")
    text = node.text()
    if text in KINDS:
        return {"review": text}
    if text.lower() in _NO:
        return {"review": ""}
    if not node.boolean():
        raise node.error(f"must be true, false, {' or '.join(KINDS)}")
    return {"review": "complex"}


FAMILY: Final = Family(
    name="review",
    title="Review",
    execution=_execution,
    keys=(
        Key(
            name="review",
            at=TASKS,
            schema=either(YES_OR_NO, {"enum": list(KINDS)}),
            doc="Another worker reviews the agent's result. The task is done only after an "
            "approval. `complex` (the same as `true`) uses a checklist, `simple` makes one "
            "pass.",
            example="- {key: fix, prompt: Mend the parser, review: true}",
        ),
    ),
)
