"""All commands as plain data, for completion: made of the parser's own."""

from __future__ import annotations

import inspect
from typing import Any, Final

import typer

from perles.cli import shells
from perles.cli.app import app
from perles.cli.list_columns import NAMES
from perles.companion.install import CLIENTS
from perles.config.providers import CLIS
from perles.domain.commands import COMMANDS, OPEN
from perles.domain.states import PRIORITIES, RETRIABLE, WORKFLOW
from perles.domain.tokens import ROLES
from perles.domain.workflow_filter import SORTS

Tree = dict[str, Any]
_WORDS: Final = {
    "STATE": WORKFLOW.states,
    "PRIORITY": PRIORITIES,
    "ORDER": SORTS,
    "SHELL": shells.SHELLS,
    "CLIENT": CLIENTS,
    "PROVIDER": ("builtin", *CLIS),
    "COLUMN": NAMES,
    "ROLE": ROLES,
}
"""What can stand for a placeholder."""
_STATES_FOR: Final = {
    **{
        verb: COMMANDS[verb].states
        for verb in ("start", "pause", "resume", "stop", "fail", "send", "archive")
    },
    "attach": OPEN,
    "retry": RETRIABLE,
    "rm": WORKFLOW.terminal,
}
"""The states of the workflows that are offered for a verb; for others it is all."""


def tree() -> Tree:
    """`options` and `arguments` of a command with their placeholders; `children` of a group.

    Also the `words` of placeholders, and the `states` of the workflows that a verb is about.
    """
    found = _node(typer.main.get_command(app))
    found["words"] = {placeholder: list(words) for placeholder, words in _WORDS.items()}
    for verb, states in _STATES_FOR.items():
        found["children"][verb]["states"] = [one for one in WORKFLOW.states if one in states]
    return found


def _node(command: Any) -> Tree:
    found: Tree = {
        "help": first_line(command.help or ""),
        "options": {},
        "arguments": [],
    }
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            found["arguments"].append(_placeholder(parameter))
            continue
        kind = "" if parameter.is_flag or parameter.count else _placeholder(parameter)
        for name in (*parameter.opts, *parameter.secondary_opts):
            found["options"][name] = [kind, first_line(parameter.help or "")]
    children = getattr(command, "commands", None)
    if children:
        shown = {name: child for name, child in children.items() if not child.hidden}
        found["children"] = {name: _node(child) for name, child in shown.items()}
        found["commands"] = {name: one["help"] for name, one in found["children"].items()}
    return found


def _is_about(parameter: Any, kind: str) -> bool:
    """Whether an argument names one of these, as its help says."""
    is_name = parameter.name == "name" and parameter.param_type_name == "argument"
    return is_name and kind in (parameter.help or "").lower()


def _placeholder(parameter: Any) -> str:
    """What a person writes there, such as ID or STATE,…; that of a label is LABEL."""
    given = (parameter.metavar or parameter.name or "").strip()
    named = {"label": "LABEL", "priority": "PRIORITY", "template": "TEMPLATE", "agent": "AGENT"}
    named |= {"id": "ID", "ids": "ID…", "channel": "CHANNEL", "task": "TASK", "base": "BRANCH"}
    named |= {"key": "TEMPLATE", "worker": "PROVIDER", "coordinator": "PROVIDER"}
    named |= {"provider": "PROVIDER", "columns": "COLUMN,…"}
    for kind in ("provider", "node", "agent"):
        if _is_about(parameter, kind):
            named["name"] = kind.upper()
    several = "…" if parameter.nargs == -1 or parameter.multiple else ""
    # A file is one, whatever the option is called.
    name = given if given == "FILE" else named.get(parameter.name or "", given.upper())
    return name if name.endswith("…") else name + several


def first_line(text: str) -> str:
    """The first paragraph of a help text, as one line."""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
