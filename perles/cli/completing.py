"""What a shell offers behind Tab, told at once: no Typer, no SQLAlchemy.

`completion.json` has the commands with their options and words, made of the code by `make docs`;
what they are about is read by the quick reads.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from perles.controlplane.quick import Reads

VERB: Final = "__complete"
"""`perles __complete WORD…`: completions of the last word, a line each, with a tab and a note."""
FILES: Final = "\tfiles"
"""The line that tells the shell to complete paths by itself."""
_READ: Final = ("TASK", "AGENT", "CHANNEL", "LABEL", "BRANCH", "NODE")
"""Placeholders of what the database has."""
Offer = tuple[str, str]
Json = dict[str, Any]


def run(words: Sequence[str]) -> int:
    """Print what the last word can be; the exit code."""
    offers = list(complete(list(words)))
    print("".join(f"{value}\t{note}\n" if value else f"{note}\n" for value, note in offers), end="")
    return 0


def complete(words: list[str]) -> Iterator[Offer]:
    """What the last of these words, which stand behind `perles`, can be, each with a note."""
    current = words[-1] if words else ""
    tree = _tree()
    node, before = _walk(tree, words[:-1])
    last = before[-1] if before else ""
    kind = node["options"].get(last, ("", ""))[0] if last.startswith("-") else ""
    if "commands" in node and not kind and not current.startswith("-"):
        for name, note in node["commands"].items():
            if name.startswith(current):
                yield name, note
        return
    values = partial(_values, tree["words"], node.get("states", ()), _workflow(node, before))
    if current.startswith("--") and "=" in current:
        option, _, value = current.partition("=")
        for found, note in values(node["options"].get(option, ("", ""))[0], value):
            yield f"{option}={found}", note
        return
    if kind:
        yield from values(kind, current)
    elif current.startswith("-"):
        for name, (_, note) in node["options"].items():
            if name.startswith(current):
                yield name, note
    else:
        yield from values(_argument(node, before), current)


def _tree() -> Json:
    with open(os.path.join(os.path.dirname(__file__), "completion.json")) as file:  # noqa: PTH120, PTH123
        tree: Json = json.load(file)
    return tree


def _walk(tree: Json, words: Sequence[str]) -> tuple[Json, list[str]]:
    """The command that these words name, and the words behind it.

    Of a group's own options only one that lacks its value is among those.
    """
    node, rest = tree, list(words)
    while rest and "commands" in node:
        word = rest.pop(0)
        if word in node["commands"]:
            node = node["children"][word]
        elif node["options"].get(word, ("", ""))[0]:
            if not rest:
                return node, [word]
            rest.pop(0)
    return node, rest


def _argument(node: Json, before: Sequence[str]) -> str:
    """The placeholder of the next argument, by its place among the given ones; or ""."""
    given, kinds = len(_given(node, before)), node["arguments"]
    if given < len(kinds):
        return str(kinds[given])
    return str(kinds[-1]) if kinds and kinds[-1].endswith("…") else ""


def _given(node: Json, before: Sequence[str]) -> list[str]:
    """The arguments among the words: without options and their values."""
    found, skip = [], False
    for word in before:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = bool(node["options"].get(word, ("", ""))[0])
        else:
            found.append(word)
    return found


def _workflow(node: Json, before: Sequence[str]) -> str:
    """The workflow that was named, whose tasks, agents and channels are meant; or ""."""
    if not node["arguments"] or node["arguments"][0] not in ("ID", "ID…"):
        return ""
    given = _given(node, before)
    return given[0] if given else ""


def _values(
    words: Mapping[str, Sequence[str]],
    states: Sequence[str],
    workflow: str,
    kind: str,
    current: str,
) -> Iterator[Offer]:
    """Words of a placeholder, such as STATE,… or FILE|TEMPLATE; workflows in these states."""
    plain = kind.strip("[]")
    head, comma, start = current.rpartition(",") if plain.endswith(",…") else ("", "", current)
    seen: set[str] = {*head.split(",")}
    for one in plain.replace(",…", "").replace("…", "").replace(" ", "|").split("|"):
        name = one.split("[")[0]
        found: Iterable[Offer] = [(word, "") for word in words.get(name, ())]
        if name == "PROVIDER":
            found = [*found, *((provider, "") for provider in _configured())]
        found = [offer for offer in found if offer[0].startswith(start)]
        if name not in words:
            found = _of_kind(name, start, states, workflow)
        for value, note in found:
            if value not in seen or not value:
                seen.add(value)
                yield (f"{head}{comma}{value}" if value else ""), note


def _of_kind(kind: str, start: str, states: Sequence[str], workflow: str) -> Iterator[Offer]:
    if kind in ("FILE", "DIR", "PATH", "FOLDER"):
        yield "", FILES
    elif kind == "ID":
        yield from _reads().workflow_words(start, states)
    elif kind == "TEMPLATE":
        yield from _templates(start)
    elif kind in _READ:
        yield from _reads().words(kind.lower(), start, workflow)


def _configured() -> list[str]:
    """The providers of the user's own configuration, by their names alone."""
    from perles.config.files import own_files
    from perles.config.yamlfile import read
    from perles.domain.errors import UsageError

    found = []
    for file in own_files():
        try:
            orchestration = read(file).mapping().get("orchestration")
            providers = None if orchestration is None else orchestration.mapping().get("providers")
            found += [] if providers is None else list(providers.mapping())
        except UsageError:
            pass  # a command that uses the file says what is wrong with it
    return found


def _templates(start: str) -> Iterator[Offer]:
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
