"""Arguments of templates and parameters of pipeline files: what is asked for, what was given."""

from collections.abc import Collection, Mapping
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.records import dataclass

_YES: Final = {"true": "true", "yes": "true", "on": "true", "1": "true"}
_NO: Final = {"false": "false", "no": "false", "off": "false", "0": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """Something a template, or a pipeline file, asks for."""

    key: str
    label: str
    type: str
    description: str = ""
    required: bool = False
    default: str = ""
    options: tuple[str, ...] = ()


def check_arguments(
    known: Collection[Argument], given: Mapping[str, str], what: str
) -> dict[str, str]:
    """The arguments of `what` with their defaults. Raises `UsageError` that names the wrong one."""
    by_key = {argument.key: argument for argument in known}
    for key in given:
        if key not in by_key:
            accepted = ", ".join(by_key) or "none"
            raise UsageError(
                f"cannot use argument {key!r}: {what} does not have it"
                f"{nearest(key, by_key)}; it has {accepted}"
            )
    return {
        key: checked(argument, given.get(key, argument.default), what)
        for key, argument in by_key.items()
    }


def checked(argument: Argument, value: str, what: str) -> str:
    """A value as it is filled in. Raises `UsageError` where it is not one of the argument."""
    if not value.strip():
        if argument.required:
            raise UsageError(
                f"cannot use {what} without {argument.key}: give it with --arg {argument.key}=…"
            )
        return value
    shown = f"{argument.key}={value[:60]!r}"
    if argument.type == "number":
        try:
            float(value)
        except ValueError:
            raise UsageError(f"cannot use {shown}: it must be a number") from None
    if argument.type == "boolean":
        word = (_YES | _NO).get(value.strip().lower())
        if word is None:
            raise UsageError(f"cannot use {shown}: it must be true or false")
        return word
    if argument.options:
        is_list = argument.type == "multi-select"
        for word in [v.strip() for v in value.split(",")] if is_list else [value]:
            if word not in argument.options:
                raise UsageError(
                    f"cannot use {argument.key}={word[:60]!r}{nearest(word, argument.options)}; "
                    f"it is one of {', '.join(argument.options)}"
                )
    return value


def sample(argument: Argument) -> str:
    """A value that somebody could give."""
    if argument.default.strip():
        return argument.default
    if argument.options:
        return argument.options[0]
    return {"number": "1", "boolean": "true"}.get(argument.type, argument.key)
