"""Values in the values of a file: every text but scripts has them before it is read."""

import re
from collections.abc import Callable, Collection
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.patterns import lazy_pattern
from perles.templates.values import Values, fill_values, found_in

RAW: Final = frozenset({"run", "prompt", "question", "when"})
"""Keys whose texts keep their references until the task begins."""
CODE: Final = frozenset(
    {"secrets", "shell", "check", "preconditions", "checks", "setup", "command", "run"}
)
"""Keys that hold code, at whatever depth: no value can stand there."""
AT_RUN_TIME: Final = frozenset({"name", "env", "dir"})
"""Keys in which the item of a fan-out can stand that is not known before."""


_NAMED: Final = lazy_pattern(
    r"""'[^']*'|"[^"]*"|(?<![\w.-])(?P<path>(?:args|matrix)\.[A-Za-z_][\w-]*"""
    r"""|item(?:\.[A-Za-z_]\w*)?)(?![\w.-])"""
)
"""What a condition names, or a text in quotes."""


class Known:
    """The values that a text may name, and the names of later values."""

    def __init__(
        self,
        values: Values,
        *,
        has_matrix: bool = False,
        has_item: bool = False,
        later: bool = False,
        keeps_args: bool = False,
    ) -> None:
        self.values = values
        self._has_matrix, self._has_item, self._later = has_matrix, has_item, later
        self._keeps_args = keeps_args

    def check(self, node: Node) -> None:
        """Raise `UsageError` for a reference in a text to a value that there is not."""
        for found in found_in(node.text()):
            self.value(found.path, node)

    def means(self, path: str) -> bool:
        """Whether a reference is ours: `item` may belong to another program's text.

        Arguments are not, where they are filled in later.
        """
        if path.startswith("args."):
            return not self._keeps_args
        return self._has_item or not path.startswith("item")

    def value(self, path: str, node: Node, *, waits: bool = True) -> str | None:
        """The value of a path; None where the text keeps its reference. Raises `UsageError`."""
        if path in self.values:
            return self.values[path]
        root, _, name = path.partition(".")
        if not self.means(path):
            return None
        if root == "item":
            if self._later and waits:
                return None
            if self._later:
                raise node.error(
                    f"{{{{ {path} }}}} cannot stand here: the items are known when the task begins"
                )
        elif root == "matrix" and not self._has_matrix:
            raise node.error(f"{{{{ {path} }}}}: this task has no matrix")
        names = [known.partition(".")[2] for known in self.values if known.startswith(f"{root}.")]
        what = {"args": "the file has no parameter", "matrix": "the matrix has no"}.get(
            root, "the item has no"
        )
        hint = nearest(name, names) or f"; known are {', '.join(names) or 'none'}"
        raise node.error(f"{{{{ {path} }}}}: {what} {name!r}{hint}")


def filled(node: Node, known: Known, raw: Collection[str] = RAW) -> Node:
    """A mapping with the values filled in, but for the keys in `raw`, whose texts are checked.

    Raises `UsageError` that names file, line and key.
    """
    return node.having(
        {name: _entry(name, value, known, raw) for name, value in node.mapping().items()}
    )


def filled_lists(node: Node, known: Known) -> Node:
    """A list, or one under `in`, with values filled in; a text alone keeps its reference."""
    if isinstance(node.value, list):
        return _filled("for_each", "for_each", node, known)
    if isinstance(node.value, dict):
        inner = {
            name: one if name == "in" and isinstance(one.value, str) else filled_lists(one, known)
            for name, one in node.value.items()
        }
        return node.having(inner)
    return node


def _entry(name: str, node: Node, known: Known, raw: Collection[str]) -> Node:
    if name == "when" and isinstance(node.value, str):
        return _folded(node, known)
    if name in raw:
        for text in node.texts():
            known.check(text)
        return node
    return _filled(name, name, node, known)


def _filled(top: str, name: str, node: Node, known: Known) -> Node:
    if name in CODE and top != "timeout":
        _need_none(node, name, known)
        return node
    value = node.value
    if isinstance(value, str) and "{{" in value:
        text = fill_values(value, lambda path: _value(top, path, node, known))
        return node.having(text)
    if isinstance(value, list):
        return node.having([_filled(top, name, one, known) for one in value])
    if isinstance(value, dict):
        return node.having({key: _filled(top, key, one, known) for key, one in value.items()})
    return node


def folded(condition: str, value: Callable[[str], str | None]) -> str:
    """A condition with texts for what is known by now; `value` gives that of a path, or None.

    Raises `UsageError` for a value that no quotes can hold.
    """

    def one(match: re.Match[str]) -> str:
        path = match.group("path")
        text = None if path is None else value(path)
        if text is None:
            return match.group(0)
        quote = "'" if "'" not in text else '"'
        if quote in text:
            raise UsageError(f"cannot compare {path}: its value has quotes of both kinds")
        return f"{quote}{text}{quote}"

    return _NAMED.sub(one, condition)


def _folded(node: Node, known: Known) -> Node:
    """A condition with what is known by now as texts in it. Raises `UsageError`."""

    def value(path: str) -> str | None:
        return (known.value(path, node, waits=False) or "") if known.means(path) else None

    try:
        text = folded(node.text(), value)
    except UsageError as error:
        raise node.error(str(error)) from None
    return node.having(text)


def _value(top: str, path: str, node: Node, known: Known) -> str | None:
    found = known.value(path, node, waits=top in AT_RUN_TIME)
    if found is not None and top == "env":
        return found.replace("${", "$${")  # a value is no reference to a variable
    return found


def _need_none(node: Node, name: str, known: Known) -> None:
    for text in node.texts():
        if any(known.means(found.path) for found in found_in(text.text())):
            raise text.error(
                f"no {{{{ … }}}} can stand in {name}, which is code; hand the value over by env"
            )
