"""What a user's own agent can do: each tool is a verb of the façade, and returns its JSON."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

from perles.aio import ControlPlane
from perles.api.plane import ControlPlane as Plane
from perles.api.plane import wanted_states
from perles.api.requests import ListQuery
from perles.domain.errors import UsageError
from perles.domain.money import in_words
from perles.domain.specs import WorkflowSpec
from perles.domain.states import WORKFLOW
from perles.domain.text import cut
from perles.templates.one_command import name_of, pipeline_file

MOST_LISTED: Final = 50
LONGEST_WAIT: Final = 600.0
"""Seconds; a client gives a tool call about a minute, unless it is configured otherwise."""
MAX_PATCH: Final = 60_000
"""Characters of a diff: it goes into a model's context."""
Json = dict[str, Any]


class Tools:
    """The tools over one home. Each raises the façade's errors, whose texts say what to do."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    async def create(
        self,
        goal: str = "",
        template: str = "",
        file: str = "",
        command: str = "",
        args: dict[str, str] | None = None,
        name: str = "",
        labels: dict[str, str] | None = None,
        priority: Literal["low", "normal", "high"] = "normal",
        work_dir: str = "",
        worktree: bool = False,
        token_budget: int = 0,
        start: bool = True,
    ) -> Json:
        """Create a workflow that runs in the background, and start it; returns its id at once.

        Give one of: `goal` in words, for AI agents; `template` with its `args` (perles templates
        list), such as cook; `file`, a pipeline; `command`, one line of the shell. `work_dir`
        is where it works (default: this folder), with `worktree` on a separate branch.
        Afterwards `wait` waits for its end, and `show` shows its state.
        """
        if [bool(goal), bool(template), bool(file), bool(command)].count(True) != 1 and not (
            goal and template
        ):
            raise UsageError("cannot create this: give one of goal, template, file or command")
        values = dict(args or {})
        if file:
            template, values = "pipeline", {"file": str(Path.cwd() / file), **values}
        with ExitStack() as stack:
            if command:
                written = stack.enter_context(pipeline_file(command, name_of(command)))
                template, values = "pipeline", {"file": written}
            spec = WorkflowSpec(
                template_id=template,
                goal=goal or None,
                args=values,
                name=name or None,
                labels=labels or {},
                priority=priority,
                work_dir=work_dir or None,
                worktree=worktree or None,
                token_budget=token_budget,
            )
            id = await self.plane.create(spec)
        status = "created"
        if start:
            status = (await self.plane.start(id, with_engine=True)).status
        return {"id": id, "status": status}

    async def list(self, filter: str = "", limit: int = 20) -> Json:
        """List workflows, newest first.

        `filter` is such as `state:running,failed label:team=red agent:codex cost:>2 "text"`;
        `is:waiting` are workflows that wait for a person.
        """
        found = await self.plane.list(
            ListQuery(filter_by=filter, limit=max(1, min(limit, MOST_LISTED)))
        )
        keys = ("id", "name", "state", "tasks", "attention", "waits_for", "reason", "cost_usd")
        return {
            "workflows": [{key: one[key] for key in keys} | {"cost": _cost(one)} for one in found]
        }

    async def show(self, id: str) -> Json:
        """Show a workflow: state, tasks, agents, what it waits for, why it failed.

        `id` is its id, a unique prefix of it, or its unique name, here and everywhere.
        """
        return shown(await self.plane.get(id))

    async def wait(self, id: str, timeout_s: float = 50.0, states: str = "") -> Json:
        """Wait until a workflow has ended, or is in one of `states`, at most `timeout_s` seconds.

        Where `reached` is false it goes on: call this again.
        """
        wanted = states or ",".join(sorted(WORKFLOW.terminal))
        seconds = max(0.0, min(timeout_s, LONGEST_WAIT))
        found = await self.plane.wait(id, timeout=seconds, states=wanted)
        return {**short(found), "reached": found.state in wanted_states(wanted)}

    async def send(self, id: str, text: str, to: str = "coordinator") -> Json:
        """Send a message to an agent of a workflow, which reads it in its next turn.

        With `to` "question" it answers the question that waits (or `question 12`).
        """
        if to.split()[:1] == ["question"]:
            number = int(to.split()[1]) if len(to.split()) > 1 and to.split()[1].isdigit() else None
            outcome = await self.plane.answer(id, text, number)
        else:
            outcome = await self.plane.send(id, text, to=to)
        return {"id": outcome.workflow_id, "status": outcome.status}

    async def approve(self, id: str, task: str, deny: bool = False, message: str = "") -> Json:
        """Approve a task that waits for a person, or `deny` it with the reason as `message`.

        Only when your user told you so: the decision is theirs.
        """
        if deny:
            outcome = await self.plane.deny(id, task, message)
        else:
            outcome = await self.plane.approve(id, task, message or None)
        return {"id": outcome.workflow_id, "status": outcome.status, "task": task}

    async def diff(self, id: str, stat: bool = False, task: str = "") -> Json:
        """What a workflow with a worktree changed since its base; with `stat` only the files."""
        found = await self.plane.call(Plane.diff, id, task=task or None, with_patch=not stat)
        patch = found.get("patch")
        if patch is not None and len(patch) > MAX_PATCH:
            note = f"… [cut, {len(patch)} characters; perles diff {found['id']} has all]"
            found = {**found, "patch": patch[:MAX_PATCH] + note}
        return found

    async def cost(self, id: str = "") -> Json:
        """Tokens and USD of a workflow by agent or, without `id`, of all against their limits."""
        if not id:
            rows = await self.plane.call(Plane.resources)
            named = ("resource", "limit", "used")
            return {"resources": [{key: row[key] for key in named} for row in rows]}
        found = await self.plane.get(id)
        agents = await self.plane.call(Plane.agents, found.id)
        keys = ("name", "provider", "model", "turns", "tokens_in", "tokens_out", "cost_usd")
        total = ("id", "tokens_used", "token_budget", "cost_usd", "cost_budget")
        spent = [{key: agent[key] for key in keys} for agent in agents]
        for agent in spent:
            used = agent["tokens_in"] + agent["tokens_out"]
            agent["cost"] = in_words(agent["cost_usd"], used)
        return {
            **{key: found[key] for key in total},
            "cost": in_words(found["cost_usd"], found["tokens_used"], spent),
            "agents": spent,
        }

    async def nodes(self) -> Json:
        """The machines of the cluster: state, free slots, labels, what is wrong, turns there.

        `cluster` tells how the engine stands with it; null where all runs on one machine. To
        drain a node is your user's decision: perles nodes drain NAME.
        """
        status = await self.plane.call(Plane.engine_status)
        cluster = None if status is None else status["cluster"]
        found = await self.plane.call(Plane.nodes)
        keys = ("name", "state", "slots", "used", "labels", "memory_free", "problems", "turns")
        return {"cluster": cluster, "nodes": [{key: one[key] for key in keys} for one in found]}


def short(found: Any) -> Json:
    """How a workflow stands, in a few words."""
    keys = ("id", "name", "state", "reason", "attention", "waits_for", "tokens_used", "cost_usd")
    about = {key: found[key] for key in keys}
    return {**about, "cost": _cost(found), "tasks": found.task_counts._asdict()}


def _cost(found: Any) -> str:
    """What a workflow cost, in words: a model reads 0 USD as none."""
    return in_words(found["cost_usd"], found["tokens_used"])


def shown(found: Any) -> Json:
    """A workflow with its tasks and agents, without what would fill a context."""
    tasks = [
        {
            **{key: task[key] for key in ("key", "name", "status", "assignee", "after", "failure")},
            "report": cut(task["report"] or "", 2000) or None,
            "output_tail": task["output_tail"] if task["failure"] else [],
        }
        for task in found["tasks"]
    ]
    of_agent = ("name", "role", "provider", "model", "status", "task", "turn_status")
    agents = [{key: agent[key] for key in of_agent} for agent in found["agents"]]
    more = ("template_id", "priority", "labels", "work_dir", "branch", "created_at", "uptime_s")
    about = {key: found[key] for key in more}
    return {**short(found), **about, "tasks": tasks, "agents": agents}
