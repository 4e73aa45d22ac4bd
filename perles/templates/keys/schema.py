"""The JSON Schema of pipeline files, made from the table of keys."""

from typing import Any

from perles.templates.keys.key import At, Key
from perles.templates.keys.table import keys

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def pipeline_schema() -> dict[str, Any]:
    """The schema of a pipeline file."""
    return {
        "$schema": DIALECT,
        "title": "Perles pipeline",
        **mapping(At.FILE, ("name", "tasks")),
        "$defs": {"task": mapping(At.TASK, ("key",))},
    }


def mapping(at: At, needed: tuple[str, ...]) -> dict[str, Any]:
    """The schema of what may stand at a place."""
    return {
        "type": "object",
        "required": list(needed),
        "properties": {key.name: _described(key) for key in keys(at)},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }


def _described(key: Key) -> dict[str, Any]:
    return {"description": key.doc.replace("`", ""), **key.schema}
