"""A scripted model on loopback: the four interfaces that agent CLIs speak, and no model behind.

What it answers is decided by a function of what was asked, whichever the interface;
so one script drives every CLI. What it billed is added up, to be compared.
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request, in the same form for every interface.

    `after` is the tool whose result came last, "" when the last word is the user's.
    """

    interface: str
    system: str
    users: list[str]
    last: str
    after: str
    tools: list[str]

    def has(self, tool: str) -> bool:
        """Whether a tool is offered; each CLI puts a prefix of its own before its name."""
        return any(name.endswith(tool) for name in self.tools)


@dataclass(frozen=True)
class Reply:
    """What to answer: a text, a tool call, or an error; after a while, for this many tokens."""

    say: str = ""
    call: str = ""
    arguments: Json = field(default_factory=dict)
    status: int = 200
    message: str = "scripted error"
    wait: float = 0.0
    tokens_in: int = 100
    tokens_out: int = 20


Script = Callable[[Asked], Reply]


class Model:
    """The server. `asked` and `billed` tell what it saw; use it as a context."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[Asked, Reply]] = []
        self.billed = {"in": 0, "out": 0}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Model":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: Asked) -> Reply:
        """Decide, and write down what was asked and billed."""
        reply = self.script(asked)
        with self._lock:
            self.asked.append((asked, reply))
            if reply.status == 200:
                self.billed["in"] += reply.tokens_in
                self.billed["out"] += reply.tokens_out
        return reply


def _handler(model: Model) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._send(b"", "text/plain")

        def do_GET(self) -> None:
            self._json({"object": "list", "data": [], "models": []})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            if "count_tokens" in path or path.endswith(":countTokens"):
                self._json({"input_tokens": 100, "totalTokens": 100})
                return
            interface = next((one for one in INTERFACES if one.serves(path)), None)
            if interface is None:
                self._json({})
                return
            question: Json = json.loads(body)
            asked = interface.read(question)
            reply = model.answer(asked)
            threading.Event().wait(reply.wait)
            if reply.status != 200:
                self._json(interface.error(reply), reply.status)
                return
            called = next((name for name in asked.tools if name.endswith(reply.call)), reply.call)
            if question.get("stream") is False:
                self._json(interface.whole(question, reply, called))
                return
            pieces = "".join(interface.stream(question, reply, called)).encode()
            self._send(pieces, "text/event-stream")

        def _json(self, value: Json, status: int = 200) -> None:
            self._send(json.dumps(value).encode(), "application/json", status)

        def _send(self, body: bytes, kind: str, status: int = 200) -> None:
            try:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the CLI was killed meanwhile

    return Handler


def text_of(content: Any) -> str:
    """The text in any of the shapes that content takes."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(text_of, content)))
    if isinstance(content, dict):
        for key in ("text", "content", "output"):
            if key in content:
                return text_of(content[key])
        if "functionResponse" in content:
            return json.dumps(content["functionResponse"].get("response"))
    return ""


_NUMBERS = count(1)


def _next() -> int:
    """Every id is new: CLIs put together what has the same one."""
    return next(_NUMBERS)


def _event(data: Any, name: str = "") -> str:
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"


class Anthropic:
    """Messages."""

    def serves(self, path: str) -> bool:
        return path.endswith("/messages")

    def error(self, reply: Reply) -> Json:
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(reply.status)
        return {
            "type": "error",
            "error": {"type": kind or "invalid_request_error", "message": reply.message},
        }

    def read(self, question: Json) -> Asked:
        names: dict[str, str] = {}
        users, last, after = [], "", ""
        for message in question["messages"]:
            blocks = message["content"]
            blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
            names |= {b["id"]: b["name"] for b in blocks if b.get("type") == "tool_use"}
            if message["role"] != "user":
                continue
            results = [block for block in blocks if block.get("type") == "tool_result"]
            said = text_of([block for block in blocks if block.get("type") == "text"])
            users.append(said)
            if results:
                after, last = names.get(results[-1]["tool_use_id"], "?"), text_of(results)
            else:
                after, last = "", said
        tools = [tool["name"] for tool in question.get("tools", [])]
        return Asked("anthropic", text_of(question.get("system")), users, last, after, tools)

    def _block(self, reply: Reply, called: str) -> Json:
        if not reply.call:
            return {"type": "text", "text": reply.say}
        return {
            "type": "tool_use",
            "id": f"toolu_{_next()}",
            "name": called,
            "input": reply.arguments,
        }

    def whole(self, question: Json, reply: Reply, called: str) -> Json:
        return {
            "id": f"msg_{_next()}",
            "type": "message",
            "role": "assistant",
            "model": question.get("model"),
            "content": [self._block(reply, called)],
            "stop_reason": "tool_use" if reply.call else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": reply.tokens_in, "output_tokens": reply.tokens_out},
        }

    def stream(self, question: Json, reply: Reply, called: str) -> Iterator[str]:
        whole = self.whole(question, reply, called)
        (block,) = whole["content"]
        start = {**whole, "content": [], "stop_reason": None}
        start["usage"] = {"input_tokens": reply.tokens_in, "output_tokens": 1}
        yield _event({"type": "message_start", "message": start}, "message_start")
        empty = {**block, "input": {}} if reply.call else {"type": "text", "text": ""}
        kind = "content_block_start"
        yield _event({"type": kind, "index": 0, "content_block": empty}, kind)
        delta = (
            {"type": "input_json_delta", "partial_json": json.dumps(reply.arguments)}
            if reply.call
            else {"type": "text_delta", "text": reply.say}
        )
        kind = "content_block_delta"
        yield _event({"type": kind, "index": 0, "delta": delta}, kind)
        yield _event({"type": "content_block_stop", "index": 0}, "content_block_stop")
        ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        spent = {"output_tokens": reply.tokens_out}
        kind = "message_delta"
        yield _event({"type": kind, "delta": ending, "usage": spent}, kind)
        yield _event({"type": "message_stop"}, "message_stop")


class _OpenAi:
    def error(self, reply: Reply) -> Json:
        code = "context_length_exceeded" if "too long" in reply.message else None
        return {"error": {"type": "invalid_request_error", "message": reply.message, "code": code}}


class Responses(_OpenAi):
    """OpenAI Responses."""

    def serves(self, path: str) -> bool:
        return path.endswith("/responses")

    def read(self, question: Json) -> Asked:
        system, users, last, after = text_of(question.get("instructions")), [], "", ""
        names: dict[str, str] = {}
        for item in question["input"]:
            kind = item.get("type", "message")
            if kind == "message" and item["role"] == "user":
                last, after = text_of(item["content"]), ""
                users.append(last)
            elif kind == "message" and item["role"] in ("developer", "system"):
                system += "\n" + text_of(item["content"])
            elif kind == "function_call":
                names[item["call_id"]] = item["name"]
            elif kind == "function_call_output":
                last, after = text_of(item["output"]), names.get(item["call_id"], "?")
        tools = []
        for tool in question.get("tools", []):
            if tool.get("type") == "namespace":
                tools += [f"{tool['name']}::{inner['name']}" for inner in tool.get("tools", [])]
            else:
                tools.append(tool.get("name") or tool["type"])
        return Asked("responses", system, users, last, after, tools)

    def whole(self, _question: Json, reply: Reply, called: str) -> Json:
        item: Json = {
            "type": "message",
            "id": f"msg_{_next()}",
            "role": "assistant",
            "status": "completed",
        }
        item["content"] = [{"type": "output_text", "text": reply.say, "annotations": []}]
        if reply.call:
            identity = f"call_{_next()}"
            item = {"type": "function_call", "id": f"fc_{identity}", "call_id": identity}
            item |= {"arguments": json.dumps(reply.arguments), "status": "completed"}
            space, _, name = called.rpartition("::")
            item |= {"name": name} | ({"namespace": space} if space else {})
        usage = {
            "input_tokens": reply.tokens_in,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": reply.tokens_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": reply.tokens_in + reply.tokens_out,
        }
        head = {"id": f"resp_{_next()}", "object": "response", "status": "completed"}
        return {**head, "output": [item], "usage": usage}

    def stream(self, question: Json, reply: Reply, called: str) -> Iterator[str]:
        whole = self.whole(question, reply, called)
        (item,) = whole["output"]
        kind = "response.created"
        yield _event({"type": kind, "response": {"id": whole["id"]}}, kind)
        for kind in ("response.output_item.added", "response.output_item.done"):
            yield _event({"type": kind, "output_index": 0, "item": item}, kind)
        kind = "response.completed"
        yield _event({"type": kind, "response": whole}, kind)


class Chat(_OpenAi):
    """OpenAI Chat Completions."""

    def serves(self, path: str) -> bool:
        return path.endswith("/chat/completions")

    def read(self, question: Json) -> Asked:
        system, users, last, after = "", [], "", ""
        names: dict[str, str] = {}
        for message in question["messages"]:
            said = text_of(message.get("content"))
            if message["role"] in ("system", "developer"):
                system += said
            elif message["role"] == "user":
                last, after = said, ""
                users.append(said)
            elif message["role"] == "assistant":
                calls = message.get("tool_calls") or []
                names |= {call["id"]: call["function"]["name"] for call in calls}
            else:
                last, after = said, names.get(message["tool_call_id"], "?")
        tools = [tool["function"]["name"] for tool in question.get("tools", [])]
        return Asked("chat", system, users, last, after, tools)

    def _usage(self, reply: Reply) -> Json:
        total = reply.tokens_in + reply.tokens_out
        counts = {"prompt_tokens": reply.tokens_in, "completion_tokens": reply.tokens_out}
        return {**counts, "total_tokens": total}

    def _message(self, reply: Reply, called: str) -> Json:
        if not reply.call:
            return {"role": "assistant", "content": reply.say}
        function = {"name": called, "arguments": json.dumps(reply.arguments)}
        identity = f"call_{_next()}"
        call = {"index": 0, "id": identity, "type": "function", "function": function}
        return {"role": "assistant", "tool_calls": [call]}

    def whole(self, _question: Json, reply: Reply, called: str) -> Json:
        choice = {"index": 0, "message": self._message(reply, called)}
        choice["finish_reason"] = "tool_calls" if reply.call else "stop"
        head = {"id": f"chat_{_next()}", "object": "chat.completion", "created": 1}
        return {**head, "choices": [choice], "usage": self._usage(reply)}

    def stream(self, question: Json, reply: Reply, called: str) -> Iterator[str]:
        head = {"id": f"chat_{_next()}", "object": "chat.completion.chunk", "created": 1}
        head["model"] = question.get("model")
        delta = self._message(reply, called)
        choice: Json = {"index": 0, "delta": delta, "finish_reason": None}
        yield _event({**head, "choices": [choice]})
        ending = "tool_calls" if reply.call else "stop"
        yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": ending}]})
        yield _event({**head, "choices": [], "usage": self._usage(reply)})
        yield "data: [DONE]\n\n"


class Gemini:
    """generateContent."""

    def serves(self, path: str) -> bool:
        return "enerateContent" in path

    def error(self, reply: Reply) -> Json:
        states = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}
        status = states.get(reply.status, "INVALID_ARGUMENT")
        return {"error": {"code": reply.status, "message": reply.message, "status": status}}

    def read(self, question: Json) -> Asked:
        system = text_of((question.get("systemInstruction") or {}).get("parts"))
        users, last, after = [], "", ""
        for content in question["contents"]:
            if content.get("role") != "user":
                continue
            parts = content["parts"]
            results = [part for part in parts if "functionResponse" in part]
            if results:
                last, after = text_of(results), results[-1]["functionResponse"]["name"]
            else:
                last, after = text_of(parts), ""
                users.append(last)
        tools = [
            function["name"]
            for tool in question.get("tools", [])
            for function in tool.get("functionDeclarations", [])
        ]
        return Asked("gemini", system, users, last, after, tools)

    def whole(self, _question: Json, reply: Reply, called: str) -> Json:
        part: Json = {"text": reply.say}
        if reply.call:
            part = {"functionCall": {"name": called, "args": reply.arguments}}
        content = {"role": "model", "parts": [part]}
        usage = {
            "promptTokenCount": reply.tokens_in,
            "candidatesTokenCount": reply.tokens_out,
            "totalTokenCount": reply.tokens_in + reply.tokens_out,
        }
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "scripted"}

    def stream(self, question: Json, reply: Reply, called: str) -> Iterator[str]:
        yield _event(self.whole(question, reply, called))


INTERFACES = (Anthropic(), Responses(), Chat(), Gemini())
