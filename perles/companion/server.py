"""The MCP server for a user's own agent: JSON-RPC in lines, on standard input and output.

CLIs give a server little time before their model's first turn: the official SDK, which takes
longer to import than all the rest, would be too late. Its client is what the tests call this with.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final

from perles.aio import ControlPlane
from perles.companion import offers
from perles.companion.stdio import Output, lines, output
from perles.companion.tools import Tools
from perles.domain.errors import PerlesError
from perles.mcp import messages
from perles.mcp.messages import Failure

log = logging.getLogger(__name__)

NAME: Final = "perles"
INSTRUCTIONS: Final = (
    "Perles runs workflows of AI agents, or of plain commands, in the background on this machine; "
    "they outlive you. create starts one and returns its id at once; wait waits for it; show tells "
    "how it stands; list finds others. A workflow that waits for a person says so in attention."
)
Json = dict[str, Any]
_LOOK_SECONDS: Final = 0.1
"""How often it is looked whether the client still reads, once its input has ended."""


def serve(plane: ControlPlane, role: str) -> None:
    """Serve on standard input and output until the client closes them."""
    with output() as client:
        asyncio.run(Server(plane, role, client).run())


class Server:
    """One client's server. Requests are answered side by side: a `wait` holds up no other."""

    def __init__(self, plane: ControlPlane, role: str, client: Output) -> None:
        self._tools = Tools(plane)
        self._offers = offers.offers(self._tools, role)
        self._client = client
        self._open: dict[str | int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Answer all that is read until the input ends, or until the client reads no more."""
        async for given in lines():
            self._take(given)
        while self._open and self._client.is_read():
            await asyncio.wait(tuple(self._open.values()), timeout=_LOOK_SECONDS)
        for task in tuple(self._open.values()):
            task.cancel()

    def _take(self, given: bytes) -> None:
        """Begin to answer a message; a cancellation ends the answer to another."""
        id: object = None
        try:
            message = _parsed(given)
            id, method = message.get("id"), message.get("method")
            messages.check(message)
            params = messages.params_of(message.get("params"))
            if method == "notifications/cancelled":
                self._cancel(params.get("requestId"))
            if method is None or id is None:
                return  # a notification, or an answer to what we never ask
            if id in self._open:
                raise Failure(
                    messages.INVALID_REQUEST, "a request with this id is not answered yet"
                )
        except Failure as failure:
            self._client.write(messages.refused(id, failure))
            return
        self._open[id] = asyncio.get_running_loop().create_task(self._answer(id, method, params))

    def _cancel(self, id: object) -> None:
        task = self._open.get(id) if isinstance(id, str | int) else None
        if task is not None:
            task.cancel()

    async def _answer(self, id: str | int, method: str, params: Json) -> None:
        try:
            result = await self._result(method, params)
            self._client.write(messages.answered(id, result))
        except Failure as failure:
            self._client.write(messages.refused(id, failure))
        finally:
            self._open.pop(id, None)

    async def _result(self, method: str, params: Json) -> Json:
        if method == "initialize":
            told = messages.introduction(NAME, params.get("protocolVersion"), "tools", "resources")
            return {**told, "instructions": INSTRUCTIONS}
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": [one.listed for one in self._offers.values()]}
        if method == "tools/call":
            return await self._call(params.get("name"), params.get("arguments"))
        if method == "resources/list":
            return {"resources": offers.listed_resources()}
        if method == "resources/templates/list":
            return {"resourceTemplates": offers.listed_templates()}
        if method == "resources/read":
            return await self._read(params.get("uri"))
        raise Failure(messages.NO_SUCH_METHOD, f"no method {method[:200]!r} here")

    async def _call(self, name: object, arguments: object) -> Json:
        """Carry out one call. Every failure is told to the model in words."""
        offer = self._offers.get(name) if isinstance(name, str) else None
        if offer is None:
            known = ", ".join(self._offers)
            return messages.failed(f"cannot call {str(name)[:200]!r}: your tools are {known}")
        try:
            result = await offer.call(arguments)
        except PerlesError as error:
            return messages.failed(str(error))
        except Exception:  # a bug in one tool must not end the server; standard error has it
            log.exception("tool %s failed", offer.name)
            return messages.failed(f"cannot carry out {offer.name}: internal error; try once more")
        return messages.done(result)

    async def _read(self, address: object) -> Json:
        if not isinstance(address, str):
            raise Failure(messages.INVALID_PARAMS, "resources/read needs the uri of a resource")
        try:
            return {"contents": [await offers.read_resource(self._tools, address)]}
        except PerlesError as error:
            raise Failure(messages.INVALID_PARAMS, str(error)) from error
        except Exception as error:  # as with a tool: the client waits for an answer all the same
            log.exception("%r could not be read", address[:200])
            raise Failure(messages.INTERNAL_ERROR, "cannot read it: internal error") from error


def _parsed(given: bytes) -> Json:
    """The message of a line. Raises `Failure`."""
    try:
        message = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise Failure(messages.PARSE_ERROR, "not JSON, or not UTF-8") from error
    if not isinstance(message, dict):
        raise Failure(messages.INVALID_REQUEST, "not a message of JSON-RPC 2.0")
    return message
