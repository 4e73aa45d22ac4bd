"""No text for an agent names a tool that this agent does not have."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from perles.agents import prompts, review_prompts, speciality
from perles.agents.review_prompts import ReviewBrief
from perles.engine.health import ladder, worker_ladder
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.tasks.progress import Plan

ROOT = Path(__file__).resolve().parents[2] / "perles"
NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
TOOLS = {role: set(tools) for role, tools in TOOLS_BY_ROLE.items()}
ALL = set().union(*TOOLS.values())
WORDS = {
    field
    for tools in TOOLS_BY_ROLE.values()
    for tool in tools.values()
    for field in tool.arguments.__struct_fields__
} | {"ready_workers", "now_ready", "failed_workers", "sent_back"}
"""Names of arguments, and of what a tool answers."""
VERBS = tuple(
    f"{verb}_"
    for verb in (
        *("approve", "ask", "assign", "create", "fabric", "generate", "get", "list", "mark"),
        *("notify", "post", "query", "reopen", "replace", "report", "retire", "send", "signal"),
        *("spawn", "stop", "update"),
    )
)
WRITING = ("engine", "tasks", "fabric", "agents", "workflows", "mcp")
"""Rooms that write texts for agents."""


def _brief(kind: str) -> ReviewBrief:
    return ReviewBrief(
        key="a",
        title="A",
        body="do it",
        implementer="worker-1",
        report="done",
        note="look",
        review_type=kind,
        number=2,
        denials=["no"],
        base="abc",
    )


def _plan(keys: list[str], total: int = 1) -> Plan:
    """A plan with these keys in each of its lists."""
    lists: dict[str, Any] = {
        field.name: keys for field in fields(Plan) if field.name not in ("total", "done")
    }
    return Plan(**lists, total=total, done=0)


def _texts() -> Iterator[tuple[str, str, str]]:
    """Role, name and text of what agents are told."""
    for role in TOOLS:
        for kind in ("", "implementer", "reviewer", "researcher"):
            text = prompts.system_prompt(role, agent="a", work_dir="/tmp", agent_type=kind)
            yield role, f"system {kind}", text
    for kind in ("simple", "complex"):
        yield "worker", f"review {kind}", review_prompts.review(_brief(kind))
    yield "worker", "feedback", review_prompts.feedback("a", "worker-2", "no", "mend it")
    yield "worker", "commit", review_prompts.commit("a", "Add it", in_repository=True)
    for name, plan in (("open", _plan(["a"])), ("none", _plan([], 0)), ("over", _plan([]))):
        yield "coordinator", f"plan {name}", "\n".join(plan.lines())
    yield "coordinator", "nudge of a worker", worker_ladder.NUDGE
    for name, value in vars(ladder).items():
        if isinstance(value, str) and name.isupper():
            yield "coordinator", name, value
    for role, tools in TOOLS_BY_ROLE.items():
        for tool in tools.values():
            yield role, tool.name, tool.description


@pytest.mark.parametrize(
    ("role", "text"), [pytest.param(r, t, id=f"{r}: {n}") for r, n, t in _texts()]
)
def test_a_text_names_only_tools_of_its_reader(role: str, text: str) -> None:
    unknown = set(NAME.findall(text)) - TOOLS[role] - WORDS

    assert not unknown


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def test_no_text_anywhere_names_a_tool_that_is_not_there() -> None:
    """Refusals, reminders and hand-overs, too: their texts are put together all over."""
    found = {
        (path.name, name)
        for room in WRITING
        for path in (ROOT / room).rglob("*.py")
        for text in _strings(path)
        for name in NAME.findall(text)
        if name.startswith(VERBS) and name not in ALL | WORDS
    }

    assert not found


def test_every_type_of_worker_has_words_of_its_own() -> None:
    (asked,) = (
        TOOLS_BY_ROLE["coordinator"]["spawn_worker"].schema["properties"]["agent_type"]["anyOf"][0],
    )

    assert {kind for kind in asked["enum"] if speciality.speciality(kind)} == set(asked["enum"])
    assert speciality.speciality("") == ""
