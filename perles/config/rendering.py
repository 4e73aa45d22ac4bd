"""The configuration in words: a file to start with, and every setting with its origin."""

import json
from typing import Any, Final

from perles.config.keys import ENGINE_SECTIONS, TABLE, key_of
from perles.config.model import Price
from perles.config.provider_settings import DEFAULT_CLIENT
from perles.config.providers import CLIS
from perles.domain.duration import format_duration

_FIRST: Final = f"the first CLI on this machine, {DEFAULT_CLIENT} before all others"
_CLI: Final = (
    '{model: some-model, args: [], env: {SOME_KEY: "${SOME_KEY}"}}',
    "model, executable, args, env, mode, sandbox and silent of this CLI",
)
WHO: Final[dict[str, tuple[str, str]]] = {
    "client": ("claude", f"provider of every role; by default {_FIRST}"),
    "coordinator_client": ("claude", "provider of the coordinator; overrides client"),
    "worker_client": ("codex", "provider of the workers; overrides client"),
    "observer_client": ("claude", "provider of the observer; overrides client"),
    "implementer_client": ("claude", "provider of workers that implement; overrides worker_client"),
    "reviewer_client": ("codex", "provider of workers that review; overrides worker_client"),
    "researcher_client": ("gemini", "provider of workers that find out; overrides worker_client"),
    **dict.fromkeys(CLIS, _CLI),
    "claude_worker": (
        "{model: some-model}",
        "overrides of claude for workers: model, env, args, silent",
    ),
    "claude_observer": ("{model: some-model}", "overrides of claude for observers"),
    "claude_reviewer": (
        "{model: some-model}",
        "overrides of claude_worker for reviewers; so for each CLI and role: codex_implementer",
    ),
    "providers": (
        "{mycli: {type: command, argv: [mycli, run], prompt: stdin, output: text}}",
        "any other CLI, by a name of yours: docs/agents.md",
    ),
    "sandbox": ("none", "none or bubblewrap, for all or by role: {worker: bubblewrap}"),
}
"""Keys below `orchestration` that say who runs agents: an example, and what it means."""


_FOR_REPOSITORY: Final = (
    "# This is a repository's file: limits, health, timeouts, notify and retention belong to the",
    "# engine and count only in your own file, which perles config init --user writes. What starts",
    "# programs counts once you trust this file as it is: perles trust.",
)


def render(written: dict[str, str], *, for_repository: bool = False) -> str:
    """A file with every key that counts in it, commented out, its default and its meaning.

    `written` has the default of each key of `TABLE` as one writes it.
    """
    lines = [
        "# Perles configuration: every key with its default, or an example, and its meaning.",
        "# All are commented out: uncomment what is to differ.",
        *(_FOR_REPOSITORY if for_repository else ()),
        "orchestration:",
        *(f"  # {name}: {example}  # {text}" for name, (example, text) in WHO.items()),
    ]
    above = ["orchestration"]
    for section, (prefix, entries) in TABLE.items():
        if for_repository and section in ENGINE_SECTIONS:
            continue
        path = prefix.split(".") if prefix else []
        for depth, name in enumerate(path):
            if path[: depth + 1] != above[: depth + 1]:
                lines.append(f"{'  ' * depth}{name}:")
        above = path
        indent = "  " * len(path)
        for name, (_, text) in entries.items():
            lines.append(f"{indent}# {name}: {written[key_of(prefix, name)]}  # {text}")
    return "\n".join(lines) + "\n"


def shown(plain: Any) -> str:
    """A value as one writes it, with what an `env` holds left out: it may be a secret."""
    return plain if isinstance(plain, str) else json.dumps(_masked(plain), ensure_ascii=False)


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: _secret(text) for name, text in item.items()}
        if key == "env" and isinstance(item, dict)
        else _masked(item)
        for key, item in value.items()
    }


def _secret(text: Any) -> str:
    return str(text) if str(text).startswith("${") else "…"


def written(value: Any) -> str:
    """A value as one writes it in a file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_entry(entry)}" for key, entry in value.items()) + "}"
    return format_duration(value) if isinstance(value, float) else str(value) or '""'


def _entry(entry: Any) -> str:
    if not isinstance(entry, Price):
        return json.dumps(entry, ensure_ascii=False)
    return "{" + ", ".join(f"{key}: {value:g}" for key, value in entry._asdict().items()) + "}"
