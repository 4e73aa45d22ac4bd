"""What a shell offers behind Tab, told at once: no Typer, no SQLAlchemy.

`completion.json` has the commands with their options, made of the code by `make docs`; what they
are about is read by the quick reads.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from perles.controlplane.quick import Reads

VERB: Final = "__complete"
"""`perles __complete WORD…`: completions of the last word, a line each, with a tab and a note."""
FILES: Final = "\tfiles"
"""The line that tells the shell to complete paths by itself."""
Offer = tuple[str, str]
_OPEN: Final = ("pending", "running", "paused")
_ENDED: Final = ("completed", "failed", "stopped")
_STATES_FOR: Final = {
    "start": ("pending",),
    "pause": ("running",),
    "resume": ("paused",),
    "stop": _OPEN,
    "fail": _OPEN,
    "attach": _OPEN,
    "send": _OPEN,
    "retry": ("failed", "stopped"),
    "archive": _ENDED,
    "rm": _ENDED,
}
"""The states of workflows that a verb is offered."""
_WORDS: Final = {
    "STATE": (*_OPEN, *_ENDED),
    "PRIORITY": ("low", "normal", "high"),
    "ORDER": ("created", "attention", "name", "state", "priority", "tokens", "cost", "started"),
    "SHELL": ("bash", "zsh", "fish"),
    "CLIENT": ("claude", "codex", "gemini", "opencode"),
    "PROVIDER": ("builtin", "claude", "codex", "gemini", "opencode", "amp", "command"),
    "ROLE": ("read", "operate", "admin"),
}


def run(words: Sequence[str]) -> int:
    """Print what the last word can be; the exit code."""
    offers = list(complete(list(words)))
    print("".join(f"{value}\t{note}\n" if value else f"{note}\n" for value, note in offers), end="")
    return 0


def complete(words: list[str]) -> Iterator[Offer]:
    """What the last of these words, which stand behind `perles`, can be, each with a note."""
    current = words[-1] if words else ""
    node, path, before = _walk(words[:-1])
    if "commands" in node and not current.startswith("-"):
        for name, note in node["commands"].items():
            if name.startswith(current):
                yield name, note
        return
    if current.startswith("--") and "=" in current:
        option, _, value = current.partition("=")
        for found, note in _values(node["options"].get(option, ("", ""))[0], value, path):
            yield f"{option}={found}", note
        return
    last = before[-1] if before else ""
    kind = node["options"].get(last, ("", ""))[0] if last.startswith("-") else ""
    if kind:
        yield from _values(kind, current, path)
    elif current.startswith("-"):
        for name, (_, note) in node["options"].items():
            if name.startswith(current):
                yield name, note
    else:
        yield from _argument(node, before, current, path)


def _walk(words: Sequence[str]) -> tuple[dict[str, Any], list[str], list[str]]:
    """The command that these words name, its path, and the words behind it."""
    with open(os.path.join(os.path.dirname(__file__), "completion.json")) as file:  # noqa: PTH120, PTH123
        node: dict[str, Any] = json.load(file)
    path: list[str] = []
    rest = list(words)
    while rest and "commands" in node:
        word = rest.pop(0)
        if word in node["commands"]:
            path.append(word)
            node = node["children"][word]
        elif node["options"].get(word, ("", ""))[0] and rest:
            rest.pop(0)
    return node, path, rest


def _argument(
    node: dict[str, Any], before: Sequence[str], current: str, path: Sequence[str]
) -> Iterator[Offer]:
    """What an argument can be, by its place among those that are there."""
    given, skip = 0, False
    for word in before:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = bool(node["options"].get(word, ("", ""))[0])
        else:
            given += 1
    kinds = node["arguments"]
    if not kinds:
        return
    kind = kinds[min(given, len(kinds) - 1)]
    if given < len(kinds) or kind.endswith("…"):
        yield from _values(kind, current, path)


def _values(kind: str, current: str, path: Sequence[str]) -> Iterator[Offer]:
    """Words of a placeholder, such as STATE,… or FILE|TEMPLATE."""
    plain = kind.strip("[]")
    head, comma, start = current.rpartition(",") if plain.endswith(",…") else ("", "", current)
    seen: set[str] = {*head.split(",")}
    for one in plain.replace(",…", "").replace("…", "").replace(" ", "|").split("|"):
        for value, note in _of_kind(one.split("[")[0], start, path):
            if value not in seen or not value:
                seen.add(value)
                yield (f"{head}{comma}{value}" if value else ""), note


def _of_kind(kind: str, start: str, path: Sequence[str]) -> Iterator[Offer]:
    if kind in _WORDS:
        yield from ((word, "") for word in _WORDS[kind] if word.startswith(start))
    elif kind in ("FILE", "DIR", "PATH", "FOLDER"):
        yield "", FILES
    elif kind in _READ:
        yield from _READ[kind](start, path)


def _workflows(start: str, path: Sequence[str]) -> Iterator[Offer]:
    yield from _reads().workflow_words(start, _STATES_FOR.get(path[0] if path else "", ()))


def _words(kind: str) -> Callable[[str, Sequence[str]], Iterator[Offer]]:
    def read(start: str, _path: Sequence[str]) -> Iterator[Offer]:
        yield from _reads().words(kind, start)

    return read


def _templates(start: str, _path: Sequence[str]) -> Iterator[Offer]:
    """By the names of their folders: what is in them takes longer to read than there is time."""
    here = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    roots = [f"{here}/templates/builtin", f"{_reads().paths.root}/workflows", ".perles/workflows"]
    found = {name for root in roots for name in _folders(root)}
    yield from ((name, "template") for name in sorted(found) if name.startswith(start))


def _folders(root: str) -> list[str]:
    try:
        names = os.listdir(root)
    except OSError:
        return []  # there is none
    return [name for name in names if os.path.exists(f"{root}/{name}/template.yaml")]


def _reads() -> "Reads":
    from perles.config.home import Paths, home
    from perles.controlplane.quick import Reads

    return Reads(Paths(home(os.environ)))


_READ: Final[dict[str, Callable[[str, Sequence[str]], Iterator[Offer]]]] = {
    "ID": _workflows,
    "TEMPLATE": _templates,
    "TASK": _words("task"),
    "AGENT": _words("agent"),
    "CHANNEL": _words("channel"),
    "LABEL": _words("label"),
    "BRANCH": _words("branch"),
}
