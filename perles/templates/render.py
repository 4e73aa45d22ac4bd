"""Filling arguments into texts: Jinja2 in its sandbox, and the plain fields of the older syntax."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jinja2 import TemplateError, meta, nodes

from perles.domain.errors import UsageError
from perles.domain.execution import Language
from perles.domain.nearest import nearest
from perles.templates.bounds import BoundedEnvironment

_ACTION: Final = re.compile(r"\{\{(-?)\s*(\.[^{}]*?)\s*(-?)\}\}")
_QUOTED: Final[Mapping[Language | None, Callable[[Any], Any]]] = {
    None: lambda value: value,
    Language.SHELL: lambda value: shlex.quote(str(value)),
    Language.PYTHON: lambda value: ascii(str(value)),
    Language.OTHER: lambda value: value,
}
_FIELD: Final = re.compile(r"\.[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def render(
    text: str, values: Mapping[str, Any], *, source: str, written_in: Language | None = None
) -> str:
    """`text` with its `{{ … }}` filled in; in a script, each value is one quoted word or text.

    `{{.Args.goal}}` means `{{ Args.goal }}`. Raises `UsageError` that names `source`.
    """
    if written_in is Language.OTHER and ("{{" in text or "{%" in text):
        raise UsageError(
            f"cannot render {source}: only scripts of sh, bash and python can have {{{{ … }}}}; "
            "use one of these"
        )
    environment = BoundedEnvironment(shown=_QUOTED[written_in])
    try:
        return environment.render(_translated(text, source), dict(values))
    except TemplateError as error:
        raise _wrong(source, error) from error
    except (TypeError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise UsageError(f"cannot render {source}: {error}") from error


def check_variables(
    text: str,
    variables: Sequence[str],
    arguments: Sequence[str],
    *,
    source: str,
    has_lines: bool = True,
) -> None:
    """Raise `UsageError` where `text` names a variable, or one of `Args`, that there is not."""
    try:
        tree = BoundedEnvironment().parse(_translated(text, source))
    except TemplateError as error:
        raise _wrong(source, error) from error
    undeclared = meta.find_undeclared_variables(tree)
    for name in tree.find_all(nodes.Name):
        if name.name in undeclared and name.name not in variables:
            where = f"{source}:{name.lineno}" if has_lines else source
            raise _undefined(where, name.name, variables, name.name)
    for field in tree.find_all(nodes.Getattr):
        of_args = isinstance(field.node, nodes.Name) and field.node.name == "Args"
        if of_args and field.attr not in arguments:
            where = f"{source}:{field.lineno}" if has_lines else source
            raise _undefined(where, f"Args.{field.attr}", arguments, field.attr)


def _undefined(where: str, shown: str, known: Sequence[str], name: str) -> UsageError:
    hint = nearest(name, known) or f"; known are {', '.join(known) or 'none'}"
    return UsageError(f"cannot render {where}: {shown} is undefined{hint}")


def _wrong(source: str, error: TemplateError) -> UsageError:
    line = getattr(error, "lineno", None)
    where = f"{source}:{line}" if line else source
    return UsageError(f"cannot render {where}: {error.message}; check the {{{{ … }}}}")


def _translated(text: str, source: str) -> str:
    def plain(match: re.Match[str]) -> str:
        field = match.group(2)
        if not _FIELD.fullmatch(field):
            line = text.count("\n", 0, match.start()) + 1
            raise UsageError(
                f"cannot render {source}:{line}: {match.group(0)[:60]!r} is not understood; "
                "write it in Jinja2: {{ Args.name }}, {% if Args.name %}"
            )
        return "{{" + match.group(1) + field[1:] + match.group(3) + "}}"

    return _ACTION.sub(plain, text)
