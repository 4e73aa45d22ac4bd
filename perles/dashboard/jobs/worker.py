"""Carries out what the dashboard asks for, in a process of its own, over lines of JSON.

SQLAlchemy, the templates and the waiting for the engine stay out of the process
that draws: the screen never stalls. It ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from perles.controlplane.plane import ControlPlane
from perles.dashboard.model.diff import MAX_ROWS
from perles.dashboard.model.form import GOAL_KEY
from perles.dashboard.reading import search
from perles.domain.errors import PerlesError
from perles.domain.text import clean

GOAL: Final = {
    "key": GOAL_KEY,
    "name": "Goal in words",
    "description": "no template: the coordinator makes the tasks itself",
    "source": "builtin",
    "error": None,
    "goal": True,
    "arguments": [
        {
            "key": "goal",
            "label": "Goal",
            "type": "textarea",
            "description": "what is wanted, and how one will know that it is done",
            "required": True,
            "default": "",
            "options": [],
        }
    ],
}
"""What stands among the templates for a workflow that has none."""
_PREVIEWED: Final = 1000
"""Tasks of a preview that are told."""
_WHO: Final = 200
_LINE: Final = 2000
"""Characters of a line of a diff that are told."""


class CannotError(PerlesError):
    """Something that this version of Perles has no way to do."""


def main() -> int:
    """Answer one request after another, each a line."""
    plane = ControlPlane()
    for text in sys.stdin:
        request = json.loads(text)
        try:
            answer = {"ok": True, "value": _do(plane, request["kind"], request["args"])}
        except PerlesError as error:
            answer = {"ok": False, "error": str(error)}
        except Exception as error:  # noqa: BLE001 - told on the status line; the screen lives on
            answer = {"ok": False, "error": f"internal error: {error!r}"[:300]}
        print(json.dumps({"id": request["id"], **answer}, default=float), flush=True)
    return 0


def _do(plane: ControlPlane, kind: str, args: dict[str, Any]) -> Any:
    if kind == "engine":
        return plane.ensure_engine()
    if kind == "templates":
        return [*(_template(found) for found in plane.templates(Path.cwd()).list()), GOAL]
    if kind == "providers":
        return {one["name"]: one["problem"] for one in plane.providers()}
    if kind == "create":
        return _create(plane, args)
    if kind == "preview":
        return _preview(plane, args)
    if kind == "do":
        return _act(plane, args)
    if kind == "send":
        return _call(plane, "send", args["id"], args["text"], to=args["to"])
    if kind == "post":
        where = {"channel": args["to"][1:], "reply": args["reply"]}
        return _call(plane, "post", args["id"], args["body"], **where)
    if kind == "read":
        return plane.mark_read(args["id"], args["channel"], args["up_to"])
    if kind == "agent":
        given = {key: value for key, value in args.items() if key not in ("id", "with_engine")}
        return _call(plane, "agent", args["id"], **given)
    if kind == "node":
        return _node(plane, args["verb"], args["name"])
    if kind == "ack":
        plane.ack([args["seq"]])
        return "took note of it"
    if kind == "reply":
        return _call(plane, "answer", args["id"], args["text"], args["question"])
    if kind == "find":
        return search.find(plane.database_path, args)
    if kind == "diff":
        return _diff(plane, args["id"])
    if kind == "judge":
        return _call(plane, args["verb"], args["id"], args["task"], args["text"])
    if kind == "setting":
        return _setting(args["key"])
    raise CannotError(f"cannot {kind}: this perles has no way to do so")


def _diff(plane: ControlPlane, workflow_id: str) -> dict[str, Any]:
    """What a workflow changed, and who can be told of it."""
    found = plane.diff(workflow_id)
    lines = found["patch"].split("\n")
    agents = [one["name"] for one in plane.agents(workflow_id) if one["status"] != "retired"]
    about = {key: plane.get(workflow_id)[key] for key in ("name", "state")}
    patch = "\n".join(line[:_LINE] for line in lines[:MAX_ROWS])
    return {**found, **about, "patch": patch, "agents": agents, "cut": len(lines) > MAX_ROWS}


def _node(plane: ControlPlane, verb: str, name: str) -> str:
    """Drain a node, or let it have turns again."""
    state = {"drain": plane.drain_node, "resume": plane.resume_node}[verb](name)
    gets = "no more turns" if verb == "drain" else "turns again"
    return f"{name} gets {gets}; it is {state}"


def _setting(key: str) -> str:
    """What a setting is here, where that comes from, and what it means."""
    from perles.config import keys, load

    found = next((one for one in load.explain() if one.key == key), None)
    if found is None:
        raise CannotError(f"cannot show {key}: there is no such setting")
    means = next((one.help for one in keys.OPTIONS.values() if one.key == key), "")
    return f"{key} = {found.value} ({found.origin}): {means}"


def _call(plane: ControlPlane, method: str, *given: Any, **named: Any) -> str:
    found = getattr(plane, method, None)
    if found is None:
        raise CannotError(f"cannot {method.replace('_', ' ')}: this perles has no way to do so")
    return _said(found(*given, **named))


def _said(outcome: Any) -> str:
    return str(getattr(outcome, "text", outcome) or "done")


def _act(plane: ControlPlane, args: dict[str, Any]) -> dict[str, Any]:
    """A verb on several workflows; how it went with each."""
    said: list[str] = []
    failed: list[str] = []
    made: list[str] = []
    for workflow_id in args["ids"]:
        try:
            if args["verb"] == "retry":
                made.append(plane.retry(workflow_id))
                said.append(f"made {made[-1]}, which goes on with {workflow_id}; s starts it")
            else:
                said.append(_one(plane, args["verb"], workflow_id, args))
        except PerlesError as error:
            failed.append(str(error))
    return {"said": said, "failed": failed, "made": made}


def _one(plane: ControlPlane, verb: str, workflow_id: str, args: dict[str, Any]) -> str:
    engine = bool(args.get("with_engine"))
    if verb == "start":
        if plane.state_of(workflow_id) == "paused":
            return _said(plane.resume(workflow_id, with_engine=engine))
        return _said(plane.start(workflow_id, with_engine=engine))
    if verb == "priority":
        plane.set(workflow_id, priority=args["to"])
        return f"the priority of {workflow_id} is {args['to']} now"
    if verb == "stop":
        return _said(plane.stop(workflow_id, force=args["force"]))
    return _call(plane, verb, workflow_id)


def _create(plane: ControlPlane, args: dict[str, Any]) -> dict[str, Any]:
    from perles.domain.specs import WorkflowSpec

    workflow_id = plane.create(WorkflowSpec(**args["spec"]))
    said = f"created {workflow_id}"
    if args["start"]:
        try:
            said = _said(plane.start(workflow_id, with_engine=bool(args.get("with_engine"))))
        except PerlesError as error:
            said = f"created {workflow_id}, but {error}"
    return {"id": workflow_id, "said": said}


def _preview(plane: ControlPlane, args: dict[str, Any]) -> list[dict[str, Any]]:
    from perles.domain.specs import WorkflowSpec

    tasks = plane.preview(WorkflowSpec(**args["spec"]))
    return [{**task, "who": clean((task["who"] or "")[:_WHO])} for task in tasks[:_PREVIEWED]]


def _template(found: Any) -> dict[str, Any]:
    return {
        "key": found.key,
        "name": found.name or found.key,
        "description": found.description,
        "source": found.source,
        "error": found.error,
        "arguments": [asdict(argument) for argument in found.arguments],
    }


if __name__ == "__main__":
    sys.exit(main())
