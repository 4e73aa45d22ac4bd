"""`{{ tasks.KEY.output }}`: what an earlier task reported, in a later one's prompt or command.

A prompt gets the text. A command gets a reference to a variable, so that no text becomes code.
"""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from perles.domain.execution import Language
from perles.domain.patterns import lazy_pattern
from perles.domain.quoting import quoted
from perles.domain.specs import TaskSpec
from perles.templates import python_script, shell, values
from perles.templates.shell_reader import OUTPUT, Place, UnsafeError

_REFERENCE: Final = lazy_pattern(
    r"\{\{-?\s*tasks\.([A-Za-z0-9_-]+)\.(outputs\.[A-Za-z_][\w-]*|\w+)\s*-?\}\}"
)
_NAMED: Final = lazy_pattern(rf"{OUTPUT}(\w+)")
MAX_OUTPUT: Final = 16 * 1024
"""Characters of one task's output that are filled in."""


def is_part(wanted: str) -> bool:
    """Whether a task has this: `output`, `exit_code` or `outputs.NAME`."""
    return wanted in ("output", "exit_code") or wanted.startswith("outputs.")


def named(key: str, wanted: str) -> str:
    """The name under which a part of a task is filled in: of its output the key alone."""
    return key if wanted == "output" else f"{key}.{wanted}"


def references(text: str) -> list[tuple[str, str]]:
    """The tasks that a text refers to, each with the field that it wants."""
    return [(match.group(1), match.group(2)) for match in _REFERENCE.finditer(text)]


def needs_outputs(script: str) -> bool:
    """Whether a command refers to outputs, by a place for one or by a variable's name."""
    has_reference = _REFERENCE.search(script) or any(values.found_in(script))
    return bool(has_reference) or _NAMED.search(script) is not None


def names_variables(script: str, given: Collection[str]) -> bool:
    """Whether a command names variables of outputs itself, beside the `given` ones."""
    return any(OUTPUT + name not in given for name in _NAMED.findall(script))


def fill(text: str, outputs: Mapping[str, str]) -> str:
    """A prompt with outputs filled in; one of several lines is quoted, on lines of its own.

    `outputs` are by what `named` says, here and below.
    """

    def value(match: re.Match[str]) -> str:
        found = _cut(outputs.get(named(match.group(1), match.group(2)), ""))
        return f"\n{quoted(found)}\n" if len(found.splitlines()) > 1 else found

    return _REFERENCE.sub(value, text)


def fill_command(
    script: str,
    outputs: Mapping[str, str],
    written_in: Language = Language.SHELL,
    given: Collection[str] = (),
) -> tuple[str, dict[str, str]]:
    """A command that reads outputs from variables, and these; `given` are those it has already.

    Where no variable can stand, the command says so and fails, and nothing of it is run. A script
    that neither a shell nor Python reads stays as it is, and has the variables.
    """
    names = _names({*outputs, *(named(*one) for one in references(script))})
    places = _places(script, names, given) if written_in is not Language.OTHER else []
    try:
        filled = _splice(script, places, written_in)
    except UnsafeError as error:
        if written_in is Language.PYTHON:
            return f"raise SystemExit({_refusal(script, error)!r})", {}
        return f"printf '%s\\n' {shlex.quote(_refusal(script, error))} >&2; exit 2", {}
    by_name = {names[key]: output for key, output in outputs.items()}
    variables: dict[str, str] = {}
    for name in {*_NAMED.findall(filled), *(place.name for place in places)}:
        if OUTPUT + name not in given:
            text = _cut(by_name.get(name, ""))
            variables |= {OUTPUT + name: text, **values.plain_words(name, text)}
    return filled, variables


def value_variables(task: TaskSpec, known: values.Values) -> dict[str, str]:
    """The variables that a task's command needs for the values which its script names."""
    run = task.run
    if run is None or not known:
        return {}
    found = values.variables(run, known)
    filled_in, _ = fill_command(run, {}, task.execution.language, found)
    return {
        name: text for name, text in found.items() if name in filled_in or not values.is_guard(name)
    }


def refusal_of(task: TaskSpec) -> str | None:
    """Why a task's command cannot have what its script wants; None where it can."""
    if not task.run:
        return None
    of_items = values.item_variables(task.run) if task.fan_out else ()
    return check_command(task.run, task.execution.language, {*task.env, *of_items})


def check_command(
    script: str, written_in: Language = Language.SHELL, given: Collection[str] = ()
) -> str | None:
    """Why a command cannot have outputs and values where it wants them; None where it can."""
    try:
        places = _places(script, _names({named(*one) for one in references(script)}), given)
        if places and written_in is Language.OTHER:
            raise UnsafeError("only scripts of sh, bash and python can have it in their text")
        _splice(script, places, written_in)
    except UnsafeError as error:
        return _refusal(script, error)
    return None


def _splice(script: str, places: Sequence[Place], written_in: Language) -> str:
    if written_in is Language.PYTHON:
        return python_script.splice(script, places)
    return shell.splice(script, places)


def _names(keys: Collection[str]) -> dict[str, str]:
    """What follows `PERLES_OUTPUT_` for each: its name with `_` for other signs, each its own.

    The output of a task, whose name is its key, is named first.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key in sorted(keys, key=lambda key: ("." in key, key)):
        name = key.replace("-", "_").replace(".", "_")
        while name in taken:
            name += "_"
        found[key] = name
        taken.add(name)
    return found


def _places(script: str, names: Mapping[str, str], given: Collection[str]) -> list[Place]:
    of_outputs = [
        Place(match.start(), match.end(), names[named(match.group(1), match.group(2))])
        for match in _REFERENCE.finditer(script)
    ]
    return [*of_outputs, *values.places(script, given)]


def _refusal(script: str, error: UnsafeError) -> str:
    keys = [named(*one) for one in references(script)]
    if keys:
        key, _, part = keys[0].partition(".")
        what = f"{part or 'the output'} of {key}"
        variable = f"{OUTPUT}{keys[0].replace('-', '_').replace('.', '_')}"
    else:
        path = next(values.found_in(script)).path
        what, variable = path, values.PUBLIC + values.variable(path)
    return (
        f"cannot fill in {'an output' if keys else 'a value'} safely: {error}; {what} is in the "
        f"variable {variable}, too: use that, or hand it over as an argument"
    )


def _cut(output: str) -> str:
    """A text that a variable can hold: bounded, no NUL, no half of a letter."""
    text = output.replace("\0", "").encode(errors="replace").decode()
    if len(text) > MAX_OUTPUT:
        text = f"{text[:MAX_OUTPUT]}… [cut, {len(text)} characters]"
    return text
