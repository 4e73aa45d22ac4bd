"""What agent CLIs print: every recorded line is read, and no line can do harm."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perles.agents.clis.amp import AmpParser
from perles.agents.clis.claude import ClaudeParser
from perles.agents.clis.codex import CodexParser
from perles.agents.clis.command import PathParser, PlainTextParser
from perles.agents.clis.gemini import GeminiParser
from perles.agents.clis.opencode import OpencodeParser
from perles.agents.provider import AgentEvent, Kind, Outcome, Parser
from perles.config.provider_settings import ProviderSettings

RECORDED = Path(__file__).parents[1] / "fixtures" / "agents"
PATHS = ProviderSettings(
    "mycli",
    "command",
    argv=("mycli",),
    output="jsonl",
    paths={
        "session_id": "id",
        "text": "text",
        "tokens_in": "usage.in",
        "tokens_out": "usage.out",
        "cost": "cost",
        "error": "error.message",
    },
)
PARSERS: dict[str, Callable[[], Parser]] = {
    "claude": ClaudeParser,
    "codex": CodexParser,
    "gemini": GeminiParser,
    "opencode": OpencodeParser,
    "amp": AmpParser,
    "command": lambda: PathParser(PATHS, None),
    "text": PlainTextParser,
}


def _read(parser: Parser, name: str) -> list[AgentEvent]:
    lines = (RECORDED / f"{name}.jsonl").read_text().splitlines()
    return [event for line in lines for event in parser.feed(line)]


def _used(events: list[AgentEvent]) -> tuple[int, int]:
    found = [event.data for event in events if event.kind is Kind.USAGE]
    if any("of_turn" in data for data in found):
        found = found[-1:]  # each tells the whole turn so far
    return (
        sum(data.get("tokens_in", 0) for data in found),
        sum(data.get("tokens_out", 0) for data in found),
    )


def _texts(events: list[AgentEvent]) -> list[str]:
    return [event.text for event in events if event.kind is Kind.TEXT]


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode"])
def test_a_recorded_turn_is_told_with_session_tool_text_and_usage(name: str) -> None:
    parser = PARSERS[name]()

    events = _read(parser, name)

    assert next(event for event in events if event.kind is Kind.SESSION).data["id"]
    tools = [
        (event.data["name"], event.data["done"]) for event in events if event.kind is Kind.TOOL
    ]
    assert tools == [("signal_ready", False), ("signal_ready", True)]
    assert _texts(events) == ["done, tool answered"]
    assert _used(events) == (250, 32)
    assert parser.outcome(0, "") == Outcome(True, text="done, tool answered")


@pytest.mark.parametrize("name", ["claude", "gemini", "opencode"])
def test_a_recorded_resumed_turn_counts_itself_alone(name: str) -> None:
    parser = PARSERS[name]()

    events = _read(parser, f"{name}-resume")

    assert _used(events) == (100, 20)
    assert _texts(events) == ["resumed fine"]


def test_the_usage_of_codex_is_the_difference_to_what_its_thread_had_used() -> None:
    first = _read(CodexParser(), "codex")
    (used,) = [event.data for event in first if event.kind is Kind.USAGE]

    resumed = _read(CodexParser(used["totals"]), "codex-resume")

    assert _used(resumed) == (100, 20)


def test_the_usage_of_codex_in_another_thread_is_all_of_it() -> None:
    parser = CodexParser({"input_tokens": 9000, "output_tokens": 400, "cached_input_tokens": 0})

    assert _used(_read(parser, "codex")) == (250, 32)


def test_claude_tells_cost_and_context() -> None:
    *_, used = [e.data for e in _read(ClaudeParser(), "claude") if e.kind is Kind.USAGE]

    assert used["cost_usd"] == pytest.approx(0.00205)
    assert (used["context_used"], used["context_window"]) == (151, 200000)


@pytest.mark.parametrize(
    ("recorded", "error_class"),
    [
        ("claude-AUTH", "auth"),
        ("claude-LONG", "context_exhausted"),
        ("claude-badresume", "unknown_session"),
        ("codex-AUTH", "auth"),
        ("codex-LONG", "context_exhausted"),
        ("codex-RATE", "rate_limited"),
    ],
)
def test_a_recorded_failure_has_its_class(recorded: str, error_class: str) -> None:
    parser = PARSERS[recorded.partition("-")[0]]()

    events = _read(parser, recorded)

    outcome = parser.outcome(1, "warning: something on standard error")
    assert (outcome.succeeded, outcome.error_class) == (False, error_class)
    assert [e for e in events if e.kind is Kind.ERROR and e.data["final"]]


def test_the_id_of_a_session_that_is_not_there_is_never_kept() -> None:
    events = _read(ClaudeParser(), "claude-badresume")

    assert not [event for event in events if event.kind is Kind.SESSION]


def test_a_turn_that_was_cut_off_has_not_succeeded() -> None:
    parser = ClaudeParser()
    _read(parser, "claude-term")

    outcome = parser.outcome(-15, "")

    assert (outcome.succeeded, outcome.error) == (False, "killed by SIGTERM")


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode", "amp"])
def test_a_cli_that_ends_well_without_a_result_has_failed(name: str) -> None:
    outcome = PARSERS[name]().outcome(0, "")

    assert (outcome.succeeded, outcome.error_class) == (False, "crashed")


@pytest.mark.parametrize("name", PARSERS)
def test_a_page_of_html_is_text_and_no_result(name: str) -> None:
    parser = PARSERS[name]()

    events = parser.feed("<html><body>502 Bad Gateway</body></html>")

    assert _texts(events)
    if name not in ("text", "command"):
        assert not parser.outcome(0, "").succeeded


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[" * 100_000,
        '{"type":' + '{"a":' * 50_000,
        '{"type": null}',
        '{"type": {"type": []}, "message": [], "part": 3, "item": "x", "usage": [1]}',
        '{"type":"assistant","message":{"content":[null, 1, {"type":"text"}]}}',
        '{"type":"turn.completed","usage":{"input_tokens":1e400,"output_tokens":-5}}',
        '{"type":"result","usage":{"input_tokens":"many"},"total_cost_usd":NaN}',
        "\x1b[31m\x00\x07",
        "é" * 10_000,
    ],
)
def test_no_strange_line_raises(name: str, line: str) -> None:
    parser = PARSERS[name]()

    for event in parser.feed(line):
        assert isinstance(event, AgentEvent)
    parser.outcome(1, line)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
_words = st.sampled_from(
    [
        "type",
        "subtype",
        "message",
        "content",
        "usage",
        "error",
        "item",
        "part",
        "result",
        "stats",
        "session_id",
        "thread_id",
        "sessionID",
        "state",
        "tokens",
        "is_error",
        "status",
        "reason",
    ]
)
_kinds = st.sampled_from(
    [
        "system",
        "assistant",
        "user",
        "result",
        "error",
        "thread.started",
        "turn.completed",
        "turn.failed",
        "item.started",
        "item.completed",
        "init",
        "message",
        "tool_use",
        "tool_result",
        "step_finish",
        "text",
    ]
)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=40)
@given(data=st.data())
def test_no_parser_ever_raises(name: str, data: st.DataObject) -> None:
    parser = PARSERS[name]()
    likely = st.dictionaries(_words, _json | st.dictionaries(_words, _json))

    for _ in range(5):
        line = data.draw(
            st.text()
            | st.binary().map(lambda raw: raw.decode(errors="replace"))
            | st.builds(lambda kind, more: json.dumps({**more, "type": kind}), _kinds, likely)
        )
        for event in parser.feed(line):
            assert len(event.text) <= max(64 * 1024, len(line))
            json.dumps(dict(event.data))
    assert isinstance(parser.outcome(data.draw(st.none() | st.integers(-64, 255)), ""), Outcome)


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode"])
def test_a_line_of_ten_megabytes_is_cut(name: str) -> None:
    huge = "x" * 10_000_000
    lines = {
        "claude": {"type": "assistant", "message": {"content": [{"type": "text", "text": huge}]}},
        "codex": {"type": "item.completed", "item": {"type": "agent_message", "text": huge}},
        "gemini": {"type": "message", "role": "assistant", "content": huge},
        "opencode": {"type": "text", "part": {"type": "text", "text": huge}},
    }

    events = PARSERS[name]().feed(json.dumps(lines[name]))

    assert sum(len(event.text) for event in events) <= 64 * 1024


def test_configured_paths_are_read_from_each_line() -> None:
    parser = PathParser(PATHS, None)

    events = parser.feed('{"id": "s1", "text": "hello", "usage": {"in": 5, "out": 2}, "cost": 0.5}')

    assert [event.kind for event in events] == [Kind.SESSION, Kind.TEXT, Kind.USAGE]
    assert events[2].data == {"tokens_in": 5, "tokens_out": 2, "cost_usd": 0.5}
    assert parser.outcome(0, "") == Outcome(True, text="hello")


@pytest.mark.parametrize(
    ("tokens_are", "lines", "totals", "used"),
    [
        ("turn", [5, 5], None, 5),
        ("turn", [5, 8], None, 8),
        ("line", [5, 5], None, 10),
        ("thread", [105, 110], {"tokens_in": 100}, 10),
        ("thread", [7], {"tokens_in": 100}, 7),
    ],
)
def test_tokens_are_counted_as_configured(
    tokens_are: str, lines: list[int], totals: dict[str, int] | None, used: int
) -> None:
    cli = ProviderSettings(
        "c", "command", argv=("c",), paths={"tokens": "t"}, tokens_are=tokens_are
    )
    parser = PathParser(cli, totals)

    events = [event for n in lines for event in parser.feed(json.dumps({"t": n}))]

    assert _used(events) == (used, 0)


def test_a_loop_that_gemini_stops_at_is_no_success() -> None:
    parser = GeminiParser()
    said = "Loop detected, stopping execution"
    for line in (
        {"type": "error", "severity": "warning", "message": said},
        {"type": "result", "status": "success", "stats": {"input_tokens": 5}},
    ):
        parser.feed(json.dumps(line))

    outcome = parser.outcome(0, "")

    assert (outcome.succeeded, outcome.error) == (False, said)


GEMINI_FAILED = (
    "MCP tool 'report_implementation_complete' reported tool error for function call: %s with "
    'response: [{"functionResponse":{"name":"report_implementation_complete","response":'
    '{"error":%s}}}]'
)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ({"message": "fetch failed", "isError": True}, "failed: fetch failed"),
        (
            {"content": [{"type": "text", "text": "cannot report: no task"}], "isError": True},
            "failed: cannot report: no task",
        ),
    ],
)
def test_a_call_of_gemini_that_failed_tells_why_and_not_what_it_asked(
    error: dict[str, Any], shown: str
) -> None:
    """As 0.61.0 prints it: the arguments, which may be long and say anything, stand first."""
    asked = {"summary": "not connected, says the summary. " * 100}
    message = GEMINI_FAILED % (json.dumps({"args": asked}), json.dumps(error))
    line = {"type": "tool_result", "tool_id": "one", "status": "error"}

    (event,) = GeminiParser().feed(json.dumps({**line, "error": {"message": message}}))

    assert event.text == shown
