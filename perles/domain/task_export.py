"""Tasks of a workflow as a file that others read, and that a template can take its tasks from."""

import json
from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any, Final

Task = Mapping[str, Any]

FORMS: Final = ("md", "json", "jsonl")
_BEGUN: Final = ("in_progress", "in_review", "denied", "approved", "committing")


def exported(form: str, name: str, tasks: Sequence[Task]) -> str:
    """The tasks in one of `FORMS`: a checklist, a list in JSON, or JSON lines as beads has them."""
    if form == "md":
        return _markdown(name, tasks)
    if form == "json":
        rows = [_row(task) for task in tasks]
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    return "".join(json.dumps(_beads(task), ensure_ascii=False) + "\n" for task in tasks)


def _markdown(name: str, tasks: Sequence[Task]) -> str:
    lines = [f"# {_line(name)}", ""]
    for task in tasks:
        mark = "x" if task["status"] == "done" else " "
        after = f" (after: {', '.join(task['after'])})" if task["after"] else ""
        title = _line(task["name"]).replace("(after", "[after")
        lines.append(f"- [{mark}] `{task['key']}`: {title}{after}")
        if body := _body(task):
            lines.append(indent(body, "  "))
    return "\n".join(lines) + "\n"


def _row(task: Task) -> dict[str, Any]:
    return {
        "key": task["key"],
        "title": _line(task["name"]),
        "body": _body(task),
        "after": list(task["after"]),
        "status": task["status"],
    }


def _beads(task: Task) -> dict[str, Any]:
    status = "in_progress" if task["status"] in _BEGUN else "open"
    return {
        "id": task["key"],
        "title": _line(task["name"]),
        "description": _body(task),
        "status": "closed" if task["status"] == "done" else status,
        "priority": 2,
        "issue_type": "task",
        "dependencies": [
            {"issue_id": task["key"], "depends_on_id": key, "type": "blocks"}
            for key in task["after"]
        ],
    }


def _body(task: Task) -> str:
    """What its worker is told, without the title, which stands beside it."""
    if task["run"]:
        return f"Run this command:\n\n{indent(task['run'].rstrip(), '    ')}"
    body = str(task["body"] or "").strip()
    return body.removeprefix(_line(task["name"])).strip() if body else ""


def _line(text: str) -> str:
    return " ".join(text.split())
