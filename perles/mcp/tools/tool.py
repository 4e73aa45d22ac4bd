"""What a tool is: its arguments as a type, from which its schema and its check both come."""

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Final

import msgspec

from perles.domain.errors import ToolError
from perles.domain.records import dataclass
from perles.mcp.host import Caller
from perles.store.reader import Reader

MAX_WHY: Final = 500
"""Characters of what is wrong with arguments: it may quote them."""
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""A name or key."""
Prose = Annotated[str, msgspec.Meta(min_length=1, max_length=100_000)]
"""A text that an agent wrote."""

Read = Callable[[Reader, Caller, Any], dict[str, Any]]


class Arguments(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The arguments of a tool."""


class NoArguments(Arguments):
    """A tool that takes none."""


@dataclass(frozen=True)
class Tool:
    """One tool. `read` answers from the database at once; without it a command is carried out.

    `shows` tells the ids of the posts in an answer of `read`. `alias` is another name, for CLIs
    that have a tool of that name themselves and show no other.
    """

    name: str
    description: str
    arguments: type[Arguments] = NoArguments
    read: Read | None = None
    shows: Callable[[dict[str, Any]], list[int]] | None = None
    alias: str = ""

    @cached_property
    def listed(self) -> dict[str, Any]:
        """The tool as an agent sees it."""
        return {"name": self.name, "description": self.description, "inputSchema": self.schema}

    @cached_property
    def listed_by_alias(self) -> dict[str, Any]:
        """The same under its other name."""
        told = f"What is called {self.name} elsewhere. {self.description}"
        return {**self.listed, "name": self.alias, "description": told}

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments; types in types stand in their places."""
        _, components = msgspec.json.schema_components([self.arguments])
        found: dict[str, Any] = _in_place(components[self.arguments.__name__], components)
        return found

    @staticmethod
    def plain(checked: Arguments) -> dict[str, Any]:
        """Checked arguments as JSON has them, with None for each that was not given."""
        return {
            name: msgspec.to_builtins(getattr(checked, name)) for name in checked.__struct_fields__
        }

    def check(self, given: dict[str, Any] | None) -> Arguments:
        """The arguments as given, typed. Raises `ToolError` that names the wrong one."""
        try:
            return msgspec.convert(given or {}, self.arguments)
        except msgspec.ValidationError as error:
            raise ToolError(
                f"cannot call {self.name}: {str(error)[:MAX_WHY]}; its arguments are "
                f"{', '.join(self.arguments.__struct_fields__) or 'none'}"
            ) from error


def _in_place(schema: Any, components: dict[str, Any]) -> Any:
    """The schema without references: not every CLI follows them."""
    if isinstance(schema, list):
        return [_in_place(item, components) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _in_place(components[schema["$ref"].rpartition("/")[2]], components)
    return {key: _in_place(item, components) for key, item in schema.items()}
