"""Reading the JSON lines of agent CLIs: what all their parsers share.

No line can make a parser raise or grow: what is not JSON is text, what is not
known is left in the file, texts and arguments are cut.
"""

import json
from abc import abstractmethod
from typing import Any, Final

import msgspec

from perles.agents.clis.errors import classify
from perles.agents.provider import AgentEvent, Kind, Outcome
from perles.domain import tool_story

MAX_TEXT: Final = 64 * 1024
"""Characters of one text that are kept."""
MAX_SHORT: Final = 300
"""Characters of a tool's arguments or result."""
MAX_ID: Final = 200
REPORT: Final = "report_implementation_complete"
"""The tool whose arguments are kept whole: where no engine hears the call, they are the report."""
_BIG: Final = 10**15

_DECODER: Final = msgspec.json.Decoder()


def decode(line: str) -> dict[str, Any] | None:
    """The JSON object of a line, None where it holds none."""
    if line.lstrip()[:1] != "{":
        return None
    try:
        found = _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def get(value: Any, *path: str) -> Any:
    """What lies along a path of keys, None where it leads nowhere."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: Any, limit: int = MAX_TEXT) -> str:
    """A text, cut; "" for anything else."""
    return value[:limit] if isinstance(value, str) else ""


def count(value: Any) -> int:
    """A number of tokens; 0 for anything that is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _BIG:
        return int(value)
    return 0


def cost(value: Any) -> float:
    """An amount of money; 0 for anything that is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _BIG:
        return float(value)
    return 0.0


def items(value: Any) -> list[Any]:
    """A list, [] for anything else."""
    return value if isinstance(value, list) else []


def short(value: Any) -> str:
    """Arguments or a result as a short text."""
    said = _whole(value)
    return said if len(said) <= MAX_SHORT else said[:MAX_SHORT] + "…"


def _whole(value: Any) -> str:
    """Arguments or a result as a text."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = "\n".join(text(get(part, "text")) or short(part) for part in value[:20])
    return value if isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def tool_started(name: Any, arguments: Any) -> AgentEvent:
    """An agent uses a tool."""
    called = text(name, MAX_ID) or "tool"
    given = short(arguments)
    data: dict[str, Any] = {"name": called, "done": False, "input": given}
    if told := tool_story.call(called, _whole(arguments)):
        data["told"] = told[:MAX_SHORT]
    if called == REPORT and isinstance(arguments, dict):
        data["report"] = {"summary": text(arguments.get("summary")), **_code(arguments)}
    return AgentEvent(Kind.TOOL, f"{called} {given}".rstrip(), data)


def _code(arguments: dict[str, Any]) -> dict[str, int]:
    code = arguments.get("exit_code")
    return {"exit_code": code} if isinstance(code, int) and not isinstance(code, bool) else {}


def tool_ended(name: Any, result: Any, *, failed: bool) -> AgentEvent:
    """A tool has answered."""
    called = text(name, MAX_ID) or "tool"
    said = short(result)
    shown = f"failed: {said}" if failed else said
    data = {"name": called, "done": True, "failed": failed}
    # Of the whole answer: what is kept of it is too short to count its tasks.
    if not failed and (told := tool_story.result(called, _whole(result))):
        data["told"] = told[:MAX_SHORT]
    return AgentEvent(Kind.TOOL, shown, data)


def usage(**numbers: Any) -> AgentEvent:
    """What was used, without what is nothing."""
    return AgentEvent(Kind.USAGE, "", {key: value for key, value in numbers.items() if value})


def _told_line(complaint: str) -> str:
    """The line that says most: the last that calls itself an error, else the last."""
    lines = complaint.split("\n")
    errors = [line for line in lines if line.lstrip().lower().startswith("error:")]
    return (errors or lines)[-1]


def ends_turn(event: AgentEvent) -> AgentEvent:
    """The event of a failure after which nothing good can come: the turn is ended at once."""
    return AgentEvent(event.kind, event.text, {**event.data, "ends_turn": True})


class JsonLineParser:
    """A parser of JSON lines; its heirs read one decoded line.

    `has_settled` tells that the CLI has said what the turn used in all.
    """

    def __init__(self) -> None:
        self._ended = False
        self._failure: Outcome | None = None
        self._session = ""
        self._last_text = ""
        self._other = ""
        self.has_settled = False

    def feed(self, line: str) -> list[AgentEvent]:
        """The events of one line. Never raises, whatever the line."""
        found = decode(line)
        if found is None:
            return self._not_json(line)
        try:
            return self._read(found)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError):
            return [AgentEvent(Kind.TEXT, line)]

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """From the CLI's own last word; without one, from its exit status and what it complained.

        A CLI that ends well without any last word has not done its work.
        """
        said = self._last_text
        if self._failure is not None and not (self._ended and self._failure.error_class is None):
            return self._failure
        if self._ended:
            return Outcome(True, text=said)
        if exit_code == 0:
            return Outcome(False, "crashed", without_result(self._other), said)
        complaint = stderr_tail.strip() or self._other
        last = _told_line(complaint)[:500]
        how = ended(exit_code)
        kind = classify(complaint)
        return Outcome(False, kind, ": ".join(filter(None, (how, last))), said)

    def _not_json(self, line: str) -> list[AgentEvent]:
        """A line of another kind: shown, and the first of them kept for the complaint."""
        if not line.strip():
            return []
        self._other = self._other or line.strip()[:MAX_SHORT]
        return [AgentEvent(Kind.TEXT, line)]

    @abstractmethod
    def _read(self, line: dict[str, Any]) -> list[AgentEvent]:
        """The events of a decoded line."""

    def _seen_session(self, value: Any) -> list[AgentEvent]:
        """The session's id, when it is a new one."""
        found = text(value, MAX_ID)
        if not found or found == self._session:
            return []
        self._session = found
        return [AgentEvent(Kind.SESSION, "", {"id": found})]

    def _said(self, value: Any) -> list[AgentEvent]:
        """A text of the agent."""
        found = text(value)
        if not found.strip():
            return []
        self._last_text = found
        return [AgentEvent(Kind.TEXT, found)]

    def _failed(self, message: Any, status: Any = None) -> list[AgentEvent]:
        """The turn has failed, in these words."""
        said = text(message) or "it failed and did not say why"
        kind = classify(said, status)
        self._failure = Outcome(False, kind, said[:2000], self._last_text)
        return [AgentEvent(Kind.ERROR, said, {"error_class": kind, "final": True})]


def without_result(printed: str) -> str:
    """What is said of a CLI that ends well and has not done its work."""
    begins = f"; what it printed begins with {printed[:100]!r}" if printed else ""
    return f"it ended well but without a result{begins}"


def ended(exit_code: int | None) -> str:
    """How a process ended, in words."""
    import signal

    if exit_code is None:
        return "ended, nobody knows how"
    if exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
