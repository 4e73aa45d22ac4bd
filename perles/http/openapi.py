"""The OpenAPI document, made of the table of routes."""

from typing import Any, Final

import msgspec

from perles.http.route import Parameter, Route
from perles.version import __version__

_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["kind", "message", "exit_code"],
            "properties": {
                "kind": {"type": "string", "description": "such as wrong_state, unauthorized"},
                "message": {"type": "string", "description": "for a person: what, and what next"},
                "exit_code": {
                    "type": ["integer", "null"],
                    "description": "the exit code of the command line for this error",
                },
            },
        }
    },
}
_STREAM: Final = {
    "summary": "Events as they are committed, each once, as server-sent events (role read).",
    "description": "The id of each is its seq. With Last-Event-ID, or since, it goes on after "
    "that; else it begins now. An id without data says how far the journal is.",
    "responses": {"200": {"description": "events", "content": {"text/event-stream": {}}}},
}


def document(routes: tuple[Route, ...], stream: tuple[Parameter, ...]) -> dict[str, Any]:
    """OpenAPI 3.1, without what depends on a home folder."""
    bodies = {one.body.__name__: one.body for one in routes if one.body is not None}
    _, schemas = msgspec.json.schema_components(
        list(bodies.values()), ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in routes:
        path = "/" + "/".join(one.segments)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one)
    parameters = [_parameter(one) for one in stream]
    parameters.append({"name": "Last-Event-ID", "in": "header", "schema": {"type": "integer"}})
    paths["/api/v1/stream"] = {"get": {**_STREAM, "parameters": parameters}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Perles",
            "version": __version__,
            "description": "The façade of Perles over HTTP; shapes are those of docs/json.md.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**schemas, "Error": _ERROR},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    parameters = [
        {"name": one[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for one in route.segments
        if one.startswith("{")
    ]
    parameters += [_parameter(one) for one in route.query]
    if route.method == "POST":
        wait = Parameter("wait", "Seconds to wait for the result.", "integer", 0, 60)
        parameters.append(_parameter(wait))
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "schema": {"type": "string"},
                "description": "The same key again gets the answer of then, for a day.",
            }
        )
    content: dict[str, Any] = {"application/json": {"schema": {}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    found: dict[str, Any] = {
        "summary": route.help,
        "description": f"Role: {route.role}.",
        "operationId": _name(route),
        "parameters": parameters,
        "responses": {
            "200": {"description": route.answers, "content": content},
            "default": {"description": "an error", "content": error},
        },
    }
    if route.body is not None:
        schema = {"$ref": f"#/components/schemas/{route.body.__name__}"}
        found["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return found


def _name(route: Route) -> str:
    words = [word.strip("{}") for word in route.path.strip("/").split("/")]
    return "_".join((route.method.lower(), *words))


def _parameter(one: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": one.type}
    if one.type == "integer":
        schema |= {"minimum": one.least, "maximum": one.most}
    return {"name": one.name, "in": "query", "description": one.help, "schema": schema}
