"""How texts with `{{ … }}` are filled in and checked; `render.py` is the way here."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jinja2 import TemplateError, meta, nodes

from perles.domain.errors import UsageError
from perles.domain.execution import Language
from perles.domain.nearest import nearest
from perles.domain.patterns import lazy_pattern
from perles.templates.bounds import BoundedEnvironment
from perles.templates.gotext.check import unknown_fields
from perles.templates.gotext.dialect import is_go
from perles.templates.gotext.lexer import GoTextError
from perles.templates.gotext.parser import parse
from perles.templates.gotext.render import render as render_go
from perles.templates.gotext.values import NO_VALUE, printed

_ACTION: Final = lazy_pattern(r"\{\{(-?)\s*(\.[^{}]*?)\s*(-?)\}\}")
_QUOTED: Final[Mapping[Language | None, Callable[[Any], Any]]] = {
    None: lambda value: value,
    Language.SHELL: lambda value: shlex.quote(str(value)),
    Language.PYTHON: lambda value: ascii(str(value)),
    Language.OTHER: lambda value: value,
}
_FIELD: Final = lazy_pattern(r"\.[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_LATER: Final = lazy_pattern(r"\{\{-?\s*(?:tasks|matrix|item)\b[^{}]*\}\}")
"""What is filled in when the task begins, not when the workflow is created."""
_PLACE: Final = lazy_pattern("\ue000(\\d+)\ue001")


def filled(
    text: str, values: Mapping[str, Any], *, source: str, written_in: Language | None
) -> str:
    """What `render` gives."""
    if written_in is Language.OTHER and ("{{" in text or "{%" in text):
        raise UsageError(
            f"cannot render {source}: only scripts of sh, bash and python can have {{{{ … }}}}; "
            "use one of these"
        )
    now, later = _without_later(text)
    try:
        if is_go(now):
            shown = _shown_strictly(written_in) if written_in is not None else printed
            return _with_later(render_go(parse(now), values, shown), later)
        environment = BoundedEnvironment(shown=_QUOTED[written_in])
        return _with_later(environment.render(_translated(now, source), dict(values)), later)
    except GoTextError as error:
        raise _wrong_go(source, error) from error
    except TemplateError as error:
        raise _wrong(source, error) from error
    except (TypeError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise UsageError(f"cannot render {source}: {error}") from error


def _shown_strictly(written_in: Language) -> Callable[[Any], str]:
    """How a value stands in a script, where `<no value>` would become a redirection."""

    def shown(value: Any) -> str:
        if value is NO_VALUE:
            raise GoTextError(0, "a value that there is not stands in a command")
        return str(_QUOTED[written_in](printed(value)))

    return shown


def _without_later(text: str) -> tuple[str, list[str]]:
    """The text with numbered places for what is filled in later, and what stood there."""
    if "\ue000" in text or not _LATER.search(text):
        return text, []
    found: list[str] = []

    def place(match: re.Match[str]) -> str:
        found.append(match.group())
        return f"\ue000{len(found) - 1}\ue001"

    return _LATER.sub(place, text), found


def _with_later(text: str, later: Sequence[str]) -> str:
    if not later:
        return text

    def stood(match: re.Match[str]) -> str:
        number = int(match.group(1))
        return later[number] if number < len(later) else match.group()

    return _PLACE.sub(stood, text)


def check(
    text: str,
    variables: Sequence[str],
    arguments: Sequence[str],
    *,
    source: str,
    has_lines: bool,
) -> None:
    """What `check_variables` does."""
    text, _ = _without_later(text)
    if is_go(text):
        _check_go(text, variables, arguments, source=source, has_lines=has_lines)
        return
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


def _check_go(
    text: str,
    variables: Sequence[str],
    arguments: Sequence[str],
    *,
    source: str,
    has_lines: bool,
) -> None:
    try:
        tree = parse(text)
    except GoTextError as error:
        raise _wrong_go(source, error) from error
    for found in unknown_fields(tree, variables, {"Args": arguments}):
        where = f"{source}:{found.line}" if has_lines else source
        raise _undefined(where, found.shown, found.known, found.name)


def _undefined(where: str, shown: str, known: Sequence[str], name: str) -> UsageError:
    hint = nearest(name, known) or f"; known are {', '.join(known) or 'none'}"
    return UsageError(f"cannot render {where}: {shown} is undefined{hint}")


def _wrong(source: str, error: TemplateError) -> UsageError:
    line = getattr(error, "lineno", None)
    where = f"{source}:{line}" if line else source
    return UsageError(f"cannot render {where}: {error.message}; check the {{{{ … }}}}")


def _wrong_go(source: str, error: GoTextError) -> UsageError:
    where = f"{source}:{error.line}" if error.line else source
    instead = f"; {error.instead}" if error.instead else ""
    return UsageError(f"cannot render {where}: {error.problem}{instead}")


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
