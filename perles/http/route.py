"""One row of the table of routes: what is asked, by whom, and what answers."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from perles.http.token_facade import Asking
from perles.http.wire import Refused

PREFIX: Final = ("api", "v1")
MAX_LIST: Final = 10_000
ONE_WORKFLOW: Final = "/workflows/{id}"
OUTCOME: Final = "{id, status, text}: status succeeded, or 202 and waiting or queued"


class Parameter(NamedTuple):
    """A parameter of a query. `type` is `string`, `integer` or `boolean`."""

    name: str
    help: str
    type: str = "string"
    least: int = 0
    most: int = 2**53

    def read(self, text: str) -> str | int | bool:
        """Its value. Raises `Refused`."""
        if self.type == "string":
            return text
        if self.type == "boolean":
            if text not in ("", "true", "false", "1", "0"):
                raise Refused(400, f"parameter {self.name} is true or false")
            return text in ("", "true", "1")
        if not (text.isascii() and text.isdigit() and len(text) <= 16):
            raise Refused(400, f"parameter {self.name} is a whole number")
        if not self.least <= int(text) <= self.most:
            raise Refused(400, f"parameter {self.name} is {self.least} to {self.most}")
        return int(text)


class Call(NamedTuple):
    """What was asked: parts of the path and the query by name, and the body as its type."""

    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any

    def words(self, name: str) -> list[str]:
        """The words of a parameter, which commas separate; none where it was not given."""
        return [word for word in self.query.get(name, "").split(",") if word]

    def given(self, *names: str) -> dict[str, Any]:
        """Those parameters of the query that were given."""
        return {name: self.query[name] for name in names if name in self.query}


class Empty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class Route(NamedTuple):
    """`run` gives JSON, an `Outcome` or a `Response`; `answers` is what that is like."""

    method: str
    path: str
    role: str
    help: str
    run: Callable[[Asking, Call], Any]
    answers: str
    query: tuple[Parameter, ...] = ()
    body: type[msgspec.Struct] | None = None

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of its path; `{name}` stands for any one."""
        return (*PREFIX, *self.path.strip("/").split("/"))

    def read_query(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The parameters as their types. Raises `Refused`."""
        known = {one.name: one for one in (*self.query, *([WAIT] if self.body else []))}
        for name in given:
            if name not in known:
                names = ", ".join(known) or "none"
                raise Refused(400, f"no parameter {name[:60]!r} here; known are {names}")
        return {name: known[name].read(text) for name, text in given.items()}

    def read_body(self, body: bytes) -> Any:
        """The body as its type. Raises `Refused`."""
        if self.body is None:
            if body:
                raise Refused(400, "no body is wanted here")
            return None
        try:
            return msgspec.json.decode(body or b"{}", type=self.body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise Refused(400, f"the body is not what is wanted: {error}") from None


LIMIT: Final = Parameter("limit", "Return at most N items.", "integer", 1, MAX_LIST)
ALL: Final = Parameter("all", "Also include answered and closed ones.", "boolean")
WAIT: Final = Parameter(
    "wait", "Seconds to wait for what becomes of it; default 10.", "integer", 0, 60
)


class Found(NamedTuple):
    """The route of a request."""

    route: Route
    path: dict[str, str]


class Table:
    """Finds routes by method and path."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self.routes = routes
        self._by_length: dict[int, list[Route]] = {}
        for one in routes:
            self._by_length.setdefault(len(one.segments), []).append(one)

    def find(self, method: str, segments: tuple[str, ...]) -> Found:
        """The route. Raises `Refused` where there is none."""
        allowed = []
        for one in self._by_length.get(len(segments), ()):
            path = _fits(one.segments, segments)
            if path is None:
                continue
            if one.method == method:
                return Found(one, path)
            allowed.append(one.method)
        if allowed:
            raise Refused(405, f"this takes {', '.join(sorted(set(allowed)))}")
        raise Refused(404, "nothing is served there; /openapi.json tells what is")


def _fits(wanted: tuple[str, ...], given: tuple[str, ...]) -> dict[str, str] | None:
    found = {}
    for want, part in zip(wanted, given, strict=True):
        if want.startswith("{"):
            if not part:
                return None
            found[want[1:-1]] = part
        elif want != part:
            return None
    return found
