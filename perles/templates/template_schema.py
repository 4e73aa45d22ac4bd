"""The JSON Schema of template.yaml, made from the table of keys and what only templates have."""

from typing import Any, Final

from perles.templates.keys.key import At
from perles.templates.keys.schema import DIALECT, mapping
from perles.templates.keys.shapes import TEXT, WORDS, YES_OR_NO, items, parts, whole
from perles.templates.template_file import ARGUMENT_TYPES, OUR_TYPES

_ARGUMENT: Final = {
    "type": "object",
    "required": ["key", "label", "type"],
    "properties": {
        "key": {**TEXT, "description": "Its name in texts: {{ Args.key }}."},
        "label": {**TEXT, "description": "What people see."},
        "type": {"enum": [*ARGUMENT_TYPES, *OUR_TYPES]},
        "description": TEXT,
        "required": YES_OR_NO,
        "default": TEXT,
        "options": items({"type": ["string", "number", "boolean", "null"]}),
    },
    "additionalProperties": False,
}
_TEMPLATE: Final[dict[str, Any]] = {
    "namespace": {**TEXT, "description": "workflow; others are not offered."},
    "key": {**TEXT, "description": "How commands call it: perles run KEY."},
    "version": TEXT,
    "description": TEXT,
    "labels": items(TEXT),
    "cost": {**TEXT, "description": "What it costs in turns, for people."},
    "example": {**TEXT, "description": "A command that runs it, for people."},
    "path": {**TEXT, "description": "The folder of inputs and outputs, below the work dir."},
    "epic_template": {**WORDS, "description": "A file: what the coordinator is told it is about."},
    "system_prompt": {**WORDS, "description": "A file: how the coordinator is to lead it."},
    "template": {**WORDS, "description": "The older name of epic_template."},
    "instructions": {**WORDS, "description": "The older name of system_prompt."},
    "arguments": items(_ARGUMENT),
    "needs_one_of": {**items(WORDS), "description": "Arguments, one of which must be given."},
    "tasks_from": {
        **parts({"argument": WORDS, "only": WORDS, "task": {"type": "object"}}, ("argument",)),
        "description": "An argument that names a file which lists tasks.",
    },
    "nodes": items({"$ref": "#/$defs/node"}),
    "finally": items({"$ref": "#/$defs/node"}),
    "workers": whole(1, 99),
}


def template_schema() -> dict[str, Any]:
    """The schema of a template.yaml."""
    registration = mapping(At.TEMPLATE, ("namespace", "key", "version"))
    registration["properties"] |= _TEMPLATE
    node = mapping(At.NODE, ("key",))
    node["properties"]["template"] = {**WORDS, "description": "A file that says what to do."}
    return {
        "$schema": DIALECT,
        "title": "Perles templates",
        **parts({"registry": items({"$ref": "#/$defs/registration"})}, ("registry",)),
        "$defs": {"registration": registration, "node": node},
    }
