"""The tasks of an included file, under the names that they have in the whole."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from perles.domain.patterns import lazy_pattern
from perles.domain.specs import TaskSpec
from perles.templates.shell_reader import OUTPUT

_REFERENCE: Final = lazy_pattern(r"(\{\{-?\s*tasks\.)([A-Za-z0-9_-]+)(?=\.)")
_NAMED: Final = lazy_pattern(
    r"""'[^']*'|"[^"]*"|(?<![\w.-])tasks\.(?P<key>[a-z0-9][a-z0-9_-]*)(?=\.)"""
)
_CODE: Final = "_exit_code"
_VARIABLE: Final = lazy_pattern(rf"\b{OUTPUT}(\w+)")


def renamed(task: TaskSpec, names: Mapping[str, str]) -> TaskSpec:
    """The task with other keys for those in `names`, its own among them, wherever it names one."""
    fan_out = task.fan_out
    if fan_out is not None:
        fan_out = replace(fan_out, task=names.get(fan_out.task, fan_out.task))
    return replace(
        task,
        key=names[task.key],
        name=names[task.key] if task.name == task.key else task.name,
        run=None if task.run is None else _in_script(task.run, names),
        body=_in_text(task.body, names),
        when=None if task.when is None else _in_condition(task.when, names),
        after=tuple(names.get(key, key) for key in task.after),
        fan_out=fan_out,
        shares={names.get(key, key): number for key, number in task.shares.items()},
    )


def _in_condition(text: str, names: Mapping[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        key = match.group("key")
        return match.group(0) if key is None else f"tasks.{names.get(key, key)}"

    return _NAMED.sub(one, text)


def _in_text(text: str, names: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda one: one.group(1) + names.get(one.group(2), one.group(2)), text)


def _in_script(script: str, names: Mapping[str, str]) -> str:
    variables = {old.replace("-", "_"): new.replace("-", "_") for old, new in names.items()}

    def one(match: re.Match[str]) -> str:
        key, part = match.group(1), ""
        if key not in variables:
            key, mark, rest = key.partition("_outputs_")
            part = mark + rest
        if key not in variables and key.endswith(_CODE):
            key, part = key.removesuffix(_CODE), _CODE
        return OUTPUT + variables.get(key, key) + part

    return _VARIABLE.sub(one, _in_text(script, names))
