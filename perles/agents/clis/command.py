"""The provider `command`: any CLI, as the configuration describes it."""

from collections.abc import Mapping
from typing import Any, Final

from perles.agents import prompts
from perles.agents.clis.base import SERVER, TOOL_SECONDS, as_json, bearer, with_system
from perles.agents.clis.errors import classify
from perles.agents.clis.json_lines import (
    JsonLineParser,
    cost,
    count,
    get,
    short,
    text,
    tool_started,
    usage,
    without_result,
)
from perles.agents.clis.json_lines import ended as how_it_ended
from perles.agents.executable import find_executable
from perles.agents.provider import (
    AgentEvent,
    Kind,
    Launch,
    Letter,
    Outcome,
    Parser,
    TaskBrief,
    TurnContext,
)
from perles.config.provider_settings import ProviderSettings
from perles.domain.errors import UsageError

MAX_REPORT: Final = 64 * 1024
"""Characters of a plain text that are kept as the report: the last ones."""


class CommandProvider:
    """Its argv, how the prompt goes in and how lines are read come from `ProviderSettings`."""

    variables: tuple[str, ...]
    computes = True

    def __init__(self, settings: ProviderSettings | None = None) -> None:
        if settings is None or not settings.argv:
            raise UsageError(
                "cannot use provider 'command' by itself: describe a CLI under "
                "orchestration.providers and use its name"
            )
        self.settings = settings
        self.name = settings.name
        self.silent_seconds = settings.silent or 0.0
        self.is_ai_call = settings.ai_call
        self.prints_text_only = False  # the end of a plain text is the report
        self.has_mcp = settings.mcp != "none"
        self.variables = settings.pass_env
        resume = ("resume",) if settings.resume else ()
        mcp = ("mcp",) if self.has_mcp else ()
        counted = {"tokens", "tokens_in", "tokens_out"} & set(settings.paths)
        usage_ = ("usage",) if counted else ()
        cost_ = ("cost",) if "cost" in settings.paths else ()
        self.capabilities = (*resume, *usage_, *cost_, *mcp)

    def executable(self, environ: Mapping[str, str]) -> str:
        """The program. Raises `UsageError` that lists where it was looked for."""
        return find_executable(
            self.name, configured=self.settings.argv[0], environ=environ, hint=""
        )

    def check(self, environ: Mapping[str, str]) -> None:
        """Find the program and fill in the configured variables. Raises `UsageError`."""
        self.executable(environ)
        self.settings.environment(environ)

    def launch(self, turn: TurnContext) -> Launch:
        """The configured argv with its placeholders filled in."""
        settings = self.settings
        template = settings.resume if turn.session_id and settings.resume else settings.argv
        prompt = with_system(turn).encode(errors="replace")
        values = {
            "model": turn.model or settings.model or "",
            "prompt_file": str(turn.folder / "prompt.txt"),
            "mcp_config": str(turn.folder / "mcp.json"),
            "session_id": turn.session_id or "",
            "work_dir": str(turn.work_dir),
        }
        files = {}
        if settings.prompt == "file":
            files["prompt.txt"] = prompt
        if self.has_mcp:
            files["mcp.json"] = as_json({"mcpServers": {SERVER: _server(turn)}})
        argv = [_filled(word, values) for word in template]
        program = find_executable(
            self.name, configured=argv[0], environ=turn.environ, hint=f"see {settings.name}.argv"
        )
        return Launch(
            argv=[program, *argv[1:]],
            env=settings.environment(turn.environ),
            stdin=prompt if settings.prompt == "stdin" else b"",
            files=files,
        )

    def parser(self, totals: Mapping[str, float] | None = None) -> Parser:
        """A parser of plain text, or of JSON lines along the configured paths."""
        if self.settings.output == "text":
            return PlainTextParser(reports=not self.has_mcp)
        return PathParser(self.settings, totals)

    def task_message(self, task: TaskBrief) -> str:
        """The task in words."""
        return prompts.task(task, by_tool=self.has_mcp)

    def prompt(self, letters: list[Letter]) -> str:
        """The messages in words."""
        return prompts.letters(letters)

    def advice(self) -> str:
        """What a person does when the login does not hold."""
        return f"check the login or key of {self.name}"


def _server(turn: TurnContext) -> dict[str, Any]:
    """Our server in the words of several CLIs: each ignores words that it does not know.

    Some take the one name for its address, some the other; newer ones show tools to the
    model only after it has searched for them, save where they are told otherwise.
    """
    return {
        "type": "http",
        "url": turn.mcp_url,
        "httpUrl": turn.mcp_url,
        "headers": bearer(turn),
        "trust": True,
        "timeout": TOOL_SECONDS * 1000,
        "alwaysLoad": True,
        "alwaysLoadTools": True,
    }


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


class PlainTextParser:
    """Every line is text; the last of them are the report, the exit status the outcome.

    Of one that `reports` in this way, a text is expected.
    """

    def __init__(self, *, reports: bool = True) -> None:
        self._said = ""
        self._reports = reports

    def feed(self, line: str) -> list[AgentEvent]:
        """The line as text."""
        self._said = f"{self._said}{line}\n"[-MAX_REPORT:]
        return [AgentEvent(Kind.TEXT, line)]

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """By the exit code; what it said is its report."""
        said = self._said.strip()
        if exit_code == 0:
            if self._reports and not said:
                return Outcome(False, "crashed", without_result(""))
            return Outcome(True, text=said)
        complaint = stderr_tail.strip() or said[-1000:]
        last = complaint.rpartition("\n")[2][:500]
        how = ": ".join(filter(None, (how_it_ended(exit_code), last)))
        return Outcome(False, classify(complaint), how, said)


class PathParser(JsonLineParser):
    """Reads what lies along dotted paths of each line; the exit status decides."""

    def __init__(self, settings: ProviderSettings, totals: Mapping[str, float] | None) -> None:
        super().__init__()
        self._paths = {name: path.split(".") for name, path in settings.paths.items()}
        self._tokens_are = settings.tokens_are
        self._totals = {name: cost(value) for name, value in (totals or {}).items()}
        self._turn: dict[str, int] = {}
        self._cost = 0.0
        self._heard = False
        self._reports = settings.mcp == "none" and "text" in settings.paths

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """The error that a line told, else the exit status, where it told what is expected."""
        if self._failure is not None:
            return self._failure
        if exit_code == 0 and self._heard and (self._last_text or not self._reports):
            return Outcome(True, text=self._last_text)
        return super().outcome(exit_code, stderr_tail)

    def _at(self, line: dict[str, Any], name: str) -> Any:
        return get(line, *self._paths[name]) if name in self._paths else None

    def _read(self, line: dict[str, Any]) -> list[AgentEvent]:
        self._heard = True
        events = self._seen_session(self._at(line, "session_id"))
        events += self._said(self._at(line, "text"))
        if tool := text(self._at(line, "tool"), 200):
            events.append(tool_started(tool, None))
        events += self._usage(line)
        error = self._at(line, "error")
        if error:
            events += self._failed(error if isinstance(error, str) else short(error))
        return events

    def _usage(self, line: dict[str, Any]) -> list[AgentEvent]:
        names = {"tokens": "tokens_in", "tokens_in": "tokens_in", "tokens_out": "tokens_out"}
        found: dict[str, int] = {}
        for path, name in names.items():
            value = self._at(line, path)
            if value is not None:
                found[name] = found.get(name, 0) + count(value)
        spent = cost(self._at(line, "cost"))
        context = count(self._at(line, "context_used"))
        if not found and not spent and not context:
            return []
        if self._tokens_are == "line":
            return [usage(**found, cost_usd=spent, context_used=context)]
        if self._tokens_are == "thread":
            return [self._of_thread(found, spent, context)]
        new_cost = max(0.0, spent - self._cost)
        self._cost = max(self._cost, spent)
        return [self._of_turn(found, new_cost, context)]

    def _of_turn(self, found: dict[str, int], spent: float, context: int) -> AgentEvent:
        """A number that a turn tells twice, and higher, counts once."""
        new = {name: max(0, value - self._turn.get(name, 0)) for name, value in found.items()}
        self._turn |= {name: max(value, self._turn.get(name, 0)) for name, value in found.items()}
        return usage(**new, cost_usd=spent, context_used=context)

    def _of_thread(self, found: dict[str, int], spent: float, context: int) -> AgentEvent:
        """The difference to what the session had used before, money as well."""
        now: dict[str, float] = {**found, **({"cost_usd": spent} if spent else {})}
        new = {}
        for name, value in now.items():
            before = self._totals.get(name, 0)
            new[name] = value - before if value >= before else value
        self._totals |= now
        told = {name: new[name] if name == "cost_usd" else int(new[name]) for name in new}
        event = usage(**told, context_used=context)
        return AgentEvent(Kind.USAGE, "", {**event.data, "totals": dict(self._totals)})
