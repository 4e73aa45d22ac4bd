"""What both MCP servers take and give: messages of JSON-RPC 2.0, and results of tools."""

from __future__ import annotations

import json
from typing import Any, Final

from perles.version import __version__

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The versions that begin with `initialize`; a client of a newer kind goes back to one of them."""
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
NO_SUCH_METHOD: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

Json = dict[str, Any]


class Failure(Exception):
    """What JSON-RPC calls an error: the request itself was wrong."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def check(message: Json) -> None:
    """Raise `Failure` for what is no message of JSON-RPC 2.0."""
    id, method = message.get("id"), message.get("method", "")
    if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise Failure(INVALID_REQUEST, "not a message of JSON-RPC 2.0")
    if not isinstance(id, str | int | None) or isinstance(id, bool):
        raise Failure(INVALID_REQUEST, "the id must be a text or a whole number")


def params_of(given: object) -> Json:
    """The parameters of a request. Raises `Failure` for what is no object."""
    params = {} if given is None else given
    if not isinstance(params, dict):
        raise Failure(INVALID_PARAMS, "params must be an object")
    return params


def introduction(name: str, wanted: object, *offered: str) -> Json:
    """What `initialize` answers, in the version that is wanted where we speak it."""
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
        "capabilities": {one: {"listChanged": False} for one in offered},
        "serverInfo": {"name": name, "version": __version__},
    }


def done(result: Json) -> Json:
    """What a call of a tool answers."""
    text = json.dumps(result, separators=(",", ":"), ensure_ascii=False)
    content = [{"type": "text", "text": text}]
    return {"content": content, "structuredContent": result, "isError": False}


def failed(text: str) -> Json:
    """What a call of a tool answers that failed, in words for the model."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def answered(id: object, result: Json) -> Json:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": id, "result": result}


def refused(id: object, failure: Failure) -> Json:
    """The answer to a request that was wrong; an id that cannot be one is not told again."""
    known = id if isinstance(id, str | int) and not isinstance(id, bool) else None
    return {
        "jsonrpc": "2.0",
        "id": known,
        "error": {"code": failure.code, "message": failure.message},
    }
