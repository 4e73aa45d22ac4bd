"""The provider `builtin`: agents of Perles itself, for commands instead of prompts."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from perles.agents.builtin import scripts
from perles.agents.builtin.task_launch import launch_of
from perles.agents.clis.json_lines import ended
from perles.agents.provider import AgentEvent, Kind, Launch, Letter, Outcome, TaskBrief, TurnContext
from perles.config.provider_settings import ProviderSettings

_MAIN = str(Path(__file__).with_name("main.py"))


class BuiltinProvider:
    """Its coordinator walks the task graph; its workers run each task's command."""

    name = "builtin"
    is_ai_call = False
    prints_text_only = True
    has_mcp = True
    runs_commands = True
    variables: Sequence[str] | None = None
    """A task's command is the user's own: it gets what the user's shell has."""

    def __init__(self, _settings: ProviderSettings | None = None) -> None:
        pass

    def check(self, _environ: Mapping[str, str]) -> None:
        """It needs nothing."""

    def launch(self, turn: TurnContext) -> Launch:
        """The command of a worker's task, or the coordinator's process, which starts with next
        to nothing: no site packages, no user settings. A worker without a task takes its messages
        and does nothing."""
        stdin = turn.prompt.encode(errors="replace")
        if turn.role == "worker":
            task = scripts.task_of(turn)
            idle = Launch(argv=["/bin/sh", "-c", ":"], stdin=stdin)
            return idle if task is None else launch_of(turn, task)
        return Launch(
            argv=[sys.executable, "-I", "-S", _MAIN],
            env={"PERLES_MCP_URL": turn.mcp_url, "PERLES_MCP_TOKEN": turn.token},
            stdin=stdin,
        )

    def launches_at_once(self, turn: TurnContext) -> bool:
        """Whether the turn is a command that nothing has to be read for."""
        task = scripts.task_of(turn) if turn.role == "worker" else None
        return task is not None and not any(map(task.get, ("dotenv", "secrets", "dir", "needs")))

    def parser(self, _totals: Mapping[str, float] | None = None) -> "TextParser":
        """Every line is text."""
        return TextParser()

    def task_message(self, task: TaskBrief) -> str:
        """The task as JSON."""
        return json.dumps(
            {
                "task": task.key,
                "attempt": task.attempt,
                "run": task.run,
                "shell": list(task.execution.program),
                "env": dict(task.env),
                "variables": list(task.variables),
                "timeout": task.timeout,
                "grace": task.execution.grace,
                "dir": task.execution.dir,
                "dotenv": list(task.execution.dotenv),
                "unset": list(task.execution.unset),
                "secrets": dict(task.execution.secrets),
                "needs": task.execution.needs.stored(),
                "tty": task.execution.tty,
            }
        )

    def prompt(self, letters: Sequence[Letter]) -> str:
        """One JSON object a line."""
        return "".join(
            json.dumps({"from": letter.sender, "kind": letter.kind, "body": letter.body}) + "\n"
            for letter in letters
        )


class TextParser:
    """Reads output that is nothing but text."""

    def feed(self, line: str) -> list[AgentEvent]:
        """The line as text."""
        return [AgentEvent(Kind.TEXT, line)]

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """By the exit code alone."""
        if exit_code == 0:
            return Outcome(True)
        last = stderr_tail.strip().rpartition("\n")[2]
        return Outcome(False, "crashed", ": ".join(filter(None, (ended(exit_code), last))))
