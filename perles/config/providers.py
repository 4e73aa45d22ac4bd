"""The part of the configuration that says who runs the agents, and how.

orchestration:
  client: claude                  # for every role that names no other
  worker_client: mycli
  claude: {model: opus, env: {ANTHROPIC_API_KEY: "${MY_KEY}"}}
  claude_worker: {model: sonnet}
  claude_reviewer: {model: opus}  # workers that review
  providers:
    mycli: {type: command, argv: [mycli, run], prompt: stdin, output: text}
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from perles.config.provider_settings import Providers, ProviderSettings, Variable
from perles.config.yamlfile import Node, parse
from perles.domain.patterns import lazy_pattern
from perles.domain.provider_choice import NAME, ROLES, SEATS
from perles.domain.secrecy import is_secret

CLIS: Final = ("claude", "codex", "gemini", "opencode", "amp")
SPECIAL: Final = tuple(f"{cli}_{seat}" for cli in CLIS for seat in SEATS)
"""Settings of a CLI for a role, or for a type of worker: `claude_reviewer`."""
_CLIENTS: Final = tuple(f"{seat}_client" for seat in SEATS)
PLACEHOLDERS: Final = ("model", "prompt_file", "mcp_config", "session_id", "work_dir")
PATHS: Final = (
    *("session_id", "text", "tokens", "tokens_in", "tokens_out", "cost", "error", "tool"),
    *("context_used",),
)
_CLI_KEYS: Final = ("model", "mode", "env", "executable", "args", "sandbox", "silent")
_COMMAND_KEYS: Final = (
    *("type", "argv", "resume", "prompt", "output", "paths", "tokens_are", "mcp", "ai_call"),
    *("model", "env", "pass_env", "silent"),
)
_ENV_NAME: Final = lazy_pattern(r"[A-Za-z_]\w*")
_BRACES: Final = lazy_pattern(r"\{([A-Za-z_][\w-]*)\}")


def _client(node: Node) -> str:
    text = node.text()
    if not NAME.fullmatch(text):
        raise node.error(f"{text[:60]!r} is no provider's name")
    return text


def _environment(node: Node) -> dict[str, Variable]:
    found = {}
    for name, value in node.mapping().items():
        if not _ENV_NAME.fullmatch(name):
            raise value.error(f"{name[:60]!r} is no name of a variable")
        found[name] = Variable(value.text(), value.where)
    return found


def _words(node: Node) -> tuple[str, ...]:
    return tuple(item.text() for item in node.items())


def _template(node: Node) -> tuple[str, ...]:
    """An argv whose `{placeholders}` are known ones."""
    words = _words(node)
    if not words:
        raise node.error("is empty; its first word is the program")
    for item in node.items():
        for name in _BRACES.findall(item.text()):
            if name not in PLACEHOLDERS:
                raise item.error(
                    f"unknown placeholder {{{name}}}; known are {', '.join(PLACEHOLDERS)}"
                )
    return words


def _paths(node: Node) -> dict[str, str]:
    return {name: value.text() for name, value in node.mapping(PATHS).items()}


_READERS: Final[dict[str, Callable[[Node], Any]]] = {
    "type": lambda node: node.word((*CLIS, "builtin", "command")),
    "model": Node.text,
    "mode": Node.text,
    "sandbox": Node.text,
    "executable": Node.text,
    "args": _words,
    "env": _environment,
    "pass_env": _words,
    "argv": _template,
    "resume": _template,
    "prompt": lambda node: node.word(("stdin", "file")),
    "output": lambda node: node.word(("jsonl", "text")),
    "paths": _paths,
    "tokens_are": lambda node: node.word(("turn", "line", "thread")),
    "mcp": lambda node: node.word(("json-file", "none")),
    "ai_call": Node.boolean,
    "silent": Node.duration,
}


def _settings(node: Node, name: str, keys: tuple[str, ...]) -> ProviderSettings:
    entries = {} if node.value is None else node.mapping(keys)
    values = {key: _READERS[key](entry) for key, entry in entries.items()}
    return ProviderSettings(name, **values)


def _named(node: Node) -> dict[str, ProviderSettings]:
    """`orchestration.providers`: any CLI, or a known one under another name."""
    found = {}
    for name, entry in node.mapping().items():
        if not NAME.fullmatch(name):
            raise entry.error(
                f"{name[:60]!r} is not a valid name; use lower-case letters, digits, - and _"
            )
        if name in (*CLIS, "builtin", "command"):
            raise entry.error(f"is a provider of Perles; set it up under orchestration.{name}")
        kind = entry.mapping().get("type")
        if kind is None:
            raise entry.error("type is missing; type: command drives any CLI")
        of_command = kind.text() == "command"
        settings = _settings(entry, name, _COMMAND_KEYS if of_command else ("type", *_CLI_KEYS))
        if of_command and not settings.argv:
            raise entry.error("argv is missing: the program and its arguments")
        found[name] = settings
    return found


def _sandbox(node: Node) -> dict[str, str]:
    words = ("none", "bubblewrap")
    if isinstance(node.value, str):
        word = node.word(words)
        return dict.fromkeys(ROLES, word)
    return {role: value.word(words) for role, value in node.mapping(ROLES).items()}


KEYS: Final = frozenset(
    f"orchestration.{name}"
    for name in (*("client", *_CLIENTS, *CLIS, *SPECIAL, "providers", "sandbox"),)
)
"""The keys of the file that are read here, each with all that stands below it."""


SECTIONS: Final = frozenset(f"orchestration.{name}" for name in (*CLIS, *SPECIAL, "providers"))
"""Those of the keys whose entries go over weaker files' one by one."""


def over(node: Node, weaker: Node) -> Node:
    """A section with what a weaker file says where it says nothing."""
    if not (isinstance(node.value, dict) and isinstance(weaker.value, dict)):
        return node
    return replace(node, value={**weaker.value, **node.value})


def kept(found: Mapping[str, Node], repository: str | None = None) -> str:
    """The keys as a text that a workflow keeps, without secrets. Raises `UsageError`.

    Secrets of the user's own file are taken from there when a process starts; in a
    `repository`'s file there are to be none.
    """
    plain = {}
    for key, node in found.items():
        section = node.plain()
        name = key.removeprefix("orchestration.")
        entries = node.mapping() if name == "providers" and node.value else {name: node}
        for entry, child in entries.items():
            told = section[entry] if name == "providers" else section
            if isinstance(child.value, dict) and "env" in child.value and child.value["env"].value:
                told["env"] = _without_secrets(child.value["env"], repository)
        plain[name] = section
    return json.dumps({"orchestration": plain})


def _without_secrets(node: Node, repository: str | None) -> dict[str, str]:
    found = {}
    for name, value in node.mapping().items():
        if not is_secret(name, value.text()):
            found[name] = value.text()
        elif value.source == repository:
            raise value.error(
                "a secret does not belong into a repository; write ${NAME}, and set that where "
                "the engine is started"
            )
    return found


def restored(text: str, now: Providers) -> Providers:
    """The providers of a text that `kept` wrote, with the secrets that `now` has."""
    root = parse(text, "the configuration of the workflow").mapping()["orchestration"].mapping()
    found = build({f"orchestration.{name}": node for name, node in root.items()})
    return replace(
        found,
        settings=_with_secrets(found.settings, now.settings),
        role_settings=_with_secrets(found.role_settings, now.role_settings),
    )


def _with_secrets(
    found: Mapping[str, ProviderSettings], now: Mapping[str, ProviderSettings]
) -> dict[str, ProviderSettings]:
    def secrets(name: str) -> dict[str, Variable]:
        env = now[name].env if name in now else {}
        return {key: one for key, one in env.items() if is_secret(key, one.text)}

    return {name: replace(one, env={**secrets(name), **one.env}) for name, one in found.items()}


def build(found: Mapping[str, Node]) -> Providers:
    """The providers that these keys describe. Raises `UsageError` that names the place."""
    nodes = {key.removeprefix("orchestration."): node for key, node in found.items()}
    settings: dict[str, ProviderSettings] = {
        str(name): _settings(nodes[name], name, _CLI_KEYS) for name in CLIS if name in nodes
    }
    if "providers" in nodes and nodes["providers"].value is not None:
        settings |= _named(nodes["providers"])
    providers = Providers(
        client=_client(nodes["client"]) if "client" in nodes else None,
        clients={
            seat: _client(nodes[f"{seat}_client"]) for seat in SEATS if f"{seat}_client" in nodes
        },
        settings=settings,
        role_settings={
            name: _settings(nodes[name], name.partition("_")[0], _CLI_KEYS)
            for name in SPECIAL
            if name in nodes
        },
        sandbox=_sandbox(nodes["sandbox"]) if "sandbox" in nodes else {},
    )
    _check_clients(nodes, providers)
    return providers


def _check_clients(nodes: Mapping[str, Node], providers: Providers) -> None:
    known = {*CLIS, "builtin", *providers.settings}
    for key in ("client", *_CLIENTS):
        if key in nodes:
            nodes[key].word(sorted(known))
