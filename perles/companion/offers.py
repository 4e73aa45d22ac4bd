"""What is offered to a client: methods as tools with a schema, and texts as resources."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec

from perles.api.plane import ControlPlane as Plane
from perles.companion.tools import Tools, shown
from perles.domain.errors import UsageError
from perles.domain.tokens import OPERATE, READ, allows

Json = dict[str, Any]
NEEDS: Final = {
    "create": OPERATE,
    "list": READ,
    "show": READ,
    "wait": READ,
    "send": OPERATE,
    "approve": OPERATE,
    "diff": READ,
    "cost": READ,
    "nodes": READ,
}
"""The role that each tool needs."""
MAX_WHY: Final = 500
"""Characters of what is wrong with arguments: it may quote them."""
_JSON_TYPE: Final = "application/json"


class Offer:
    """A method of `Tools` as a tool: its signature is the schema, its docstring the description."""

    def __init__(self, method: Callable[..., Awaitable[Json]], needs: str) -> None:
        self._method = method
        self.name = method.__name__
        hints = get_type_hints(method)
        fields = [
            (name, hints[name])
            if one.default is inspect.Parameter.empty
            else (name, hints[name], one.default)
            for name, one in inspect.signature(method).parameters.items()
        ]
        self._arguments = msgspec.defstruct(self.name, fields, forbid_unknown_fields=True)
        self._is_read = needs == READ

    @cached_property
    def listed(self) -> Json:
        """The tool as a client sees it."""
        _, found = msgspec.json.schema_components([self._arguments])
        hints = {"readOnlyHint": self._is_read, "destructiveHint": False}
        about = {"name": self.name, "description": inspect.getdoc(self._method) or ""}
        return {**about, "inputSchema": found[self.name], "annotations": hints}

    async def call(self, given: object) -> Json:
        """Carry it out. Raises `UsageError` that names the wrong argument, and the façade's."""
        try:
            checked = msgspec.convert(given or {}, self._arguments, strict=False)
        except msgspec.ValidationError as error:
            known = ", ".join(self._arguments.__struct_fields__)
            raise UsageError(
                f"cannot call {self.name}: {str(error)[:MAX_WHY]}; its arguments are {known}"
            ) from error
        return await self._method(**msgspec.structs.asdict(checked))


def offers(tools: Tools, role: str) -> dict[str, Offer]:
    """The tools of a role, by name."""
    return {
        name: Offer(getattr(tools, name), needed)
        for name, needed in NEEDS.items()
        if allows(role, needed)
    }


class Resource(NamedTuple):
    """Something that can be read at an address; `{id}` in it stands for a workflow."""

    address: str
    name: str
    told: str
    read: Callable[[Tools, str], Awaitable[Any]]


async def _workflows(tools: Tools, _id: str) -> Any:
    return await tools.list(limit=50)


async def _workflow(tools: Tools, id: str) -> Any:
    return shown(await tools.plane.get(id))


async def _session(tools: Tools, id: str) -> Any:
    folder = (await tools.plane.get(id)).session.folder
    told = await tools.plane.call(Plane.summary, id)
    return {"folder": None if folder is None else str(folder), **told}


async def _inbox(tools: Tools, _id: str) -> Any:
    return list(await tools.plane.call(Plane.inbox))


RESOURCES: Final = (
    Resource("perles://workflows", "workflows", "The newest workflows.", _workflows),
    Resource("perles://inbox", "inbox", "What waits for the person, over all workflows.", _inbox),
    Resource(
        "perles://workflows/{id}",
        "workflow",
        "One workflow with its tasks and agents.",
        _workflow,
    ),
    Resource(
        "perles://sessions/{id}",
        "session",
        "What a workflow came to, facts first, and the folder of its session.",
        _session,
    ),
)


def listed_resources() -> list[Json]:
    """The resources that stand at one address."""
    return [_listed(one, "uri") for one in RESOURCES if "{" not in one.address]


def listed_templates() -> list[Json]:
    """The resources that there is one of for each workflow."""
    return [_listed(one, "uriTemplate") for one in RESOURCES if "{" in one.address]


def _listed(one: Resource, key: str) -> Json:
    return {key: one.address, "name": one.name, "description": one.told, "mimeType": _JSON_TYPE}


async def read_resource(tools: Tools, address: str) -> Mapping[str, Any]:
    """What stands at an address. Raises `UsageError` for one that is none, and the façade's."""
    for one in RESOURCES:
        pattern = re.escape(one.address).replace(r"\{id\}", "([^/]+)")
        if found := re.fullmatch(pattern, address):
            value = await one.read(tools, found[1] if found.groups() else "")
            text = json.dumps(value, ensure_ascii=False)
            return {"uri": address, "mimeType": _JSON_TYPE, "text": text}
    known = ", ".join(one.address for one in RESOURCES)
    raise UsageError(f"cannot read {address[:200]!r}; there are {known}")
